from datetime import UTC, datetime

import pytest

from quickthumb.model.errors import InvalidParameter
from quickthumb.notify.message import checked_address, greeting, is_allowed, mailbox

MOMENT = datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_it_goes_to_the_address_and_says_nothing_of_the_client_s() -> None:
    message = greeting("5f0c", "QuickThumb <robot@example.org>", "ada@example.com", MOMENT)
    assert message["To"] == "ada@example.com"
    assert message["From"] == "QuickThumb <robot@example.org>"
    assert message["Message-ID"] == "<5f0c@example.org>"
    assert message["Date"] == "Sat, 31 Jan 2026 12:00:00 +0000"
    assert message["Auto-Submitted"] == "auto-generated"
    assert "ada" not in message.get_content()


def test_it_is_the_same_at_each_attempt() -> None:
    first, second = (greeting("5f0c", "robot@example.org", "ada@example.com", MOMENT) for _ in range(2))
    assert first.as_bytes() == second.as_bytes()


@pytest.mark.parametrize(
    "text",
    [
        "ada@example.com",
        "a.b+c@sub.example.org",
        "o'neil@example.com",
        "a-b_c@xn--exmple-cua.com",
        "a@" + "b" * 63 + ".com",
        "root@localhost",
    ],
)
def test_a_plain_address_is_accepted_unchanged(text: str) -> None:
    assert checked_address(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ada",
        "@example.com",
        "ada@",
        "ada@example.com\n",
        "ada@example.com\r\nBcc: eve@example.com",
        "ada@example.com,eve@example.com",
        "ada@example.com eve@example.com",
        "Ada <ada@example.com>",
        '"a b"@example.com',
        "ada@eve@example.com",
        ".ada@example.com",
        "ada.@example.com",
        "a..b@example.com",
        "ada@-example.com",
        "ada@example..com",
        "ada@[127.0.0.1]",
        "adä@example.com",
        "ada@exämple.com",
        "ada@example.com\0",
        "ada@" + "b" * 64 + ".com",
        "a" * 65 + "@example.com",
        "a@" + ".".join(["b" * 60] * 5),
        "victim%evil.net@example.com",
        "evil.net!victim@example.com",
        "@evil.net:victim@example.com",
        "-oQ/tmp@example.com",
        "|id@example.com",
        "/etc/aliases@example.com",
        "a`id`@example.com",
        "$HOME@example.com",
        "{a}@example.com",
        "ada(comment)@example.com",
        "*@example.com",
        "ada\\@example.com",
        "ada\t@example.com",
        "ada@example.com.",
        "ada@\u212aelvin.example",
    ],
)
def test_what_is_not_one_plain_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        checked_address(text)
    assert caught.value.field == "email"


def test_a_pattern_matches_whole_addresses_in_any_case() -> None:
    patterns = ("*@example.com", "ada@Example.ORG")
    assert is_allowed("Any.One@EXAMPLE.com", patterns)
    assert is_allowed("ADA@example.org", patterns)
    for address in ("bob@example.org", "ada@example.com.evil.net", "ada@sub.example.com", "ada@notexample.com"):
        assert not is_allowed(address, patterns)
    assert not is_allowed("ada@example.com", ())
    assert is_allowed("ada@anywhere", ("*",))


@pytest.mark.parametrize(
    ("pattern", "address"),
    [
        ("ada@mail?.example.com", "ada@mail1.example.com"),
        ("*@mail[12].example.com", "ada@mail1.example.com"),
        ("*@example.com", "ada@exampleXcom"),
        ("a.a@example.com", "aXa@example.com"),
        ("a+@example.com", "aa@example.com"),
        ("a*b@example.com", "ab@example.com.evil.net"),
    ],
)
def test_only_an_asterisk_stands_for_anything_else(pattern: str, address: str) -> None:
    assert not is_allowed(address, (pattern,))


def test_an_asterisk_may_stand_anywhere_and_for_nothing() -> None:
    assert is_allowed("sales-2@eu.example.com", ("sales*@*.example.com",))
    assert is_allowed("sales@eu.example.com", ("sales*@*.example.com",))


def test_case_and_tags_make_no_other_recipient() -> None:
    assert mailbox("Ada+one+two@Example.COM") == mailbox("ada@example.com") == "ada@example.com"
    assert mailbox("bob@example.com") != mailbox("ada@example.com")

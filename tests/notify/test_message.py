from datetime import UTC, datetime

import pytest

from quickthumb.model.errors import InvalidParameter
from quickthumb.notify.message import checked_address, greeting, is_allowed

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
    ["ada@example.com", "a.b+c@sub.example.org", "o'neil@example.com", "a@" + "b" * 63 + ".com", "root@localhost"],
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

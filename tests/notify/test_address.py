import pytest

from quickthumb.model.errors import InvalidParameter
from quickthumb.notify.address import checked_address, is_allowed


@pytest.mark.parametrize(
    "text",
    ["ada@example.com", "a.b+c@sub.example.org", "o'neil@example.com", "a@" + "b" * 63 + ".com", "root@localhost"],
)
def test_a_plain_address_is_taken_as_it_is(text: str) -> None:
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


def test_a_pattern_admits_whole_addresses_whatever_their_case() -> None:
    patterns = ("*@example.com", "ada@Example.ORG")
    assert is_allowed("Any.One@EXAMPLE.com", patterns)
    assert is_allowed("ADA@example.org", patterns)
    for address in ("bob@example.org", "ada@example.com.evil.net", "ada@sub.example.com", "ada@notexample.com"):
        assert not is_allowed(address, patterns)
    assert not is_allowed("ada@example.com", ())
    assert is_allowed("ada@anywhere", ("*",))

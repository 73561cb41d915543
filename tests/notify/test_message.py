from datetime import UTC, datetime

from quickthumb.notify.message import greeting

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

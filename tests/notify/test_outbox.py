import os
from email.message import EmailMessage
from pathlib import Path

import pytest

from quickthumb.notify.errors import MailUnavailable
from quickthumb.notify.outbox import Outbox


def message(text: str = "Hello") -> EmailMessage:
    made = EmailMessage()
    made["To"] = "ada@example.com"
    made.set_content(text)
    return made


async def test_a_message_becomes_a_file(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox")
    for text in ("Hello", "Hello again"):
        await outbox.send("1", message(text))
    assert [path.name for path in (tmp_path / "outbox").iterdir()] == ["1.eml"]
    assert (tmp_path / "outbox" / "1.eml").read_bytes().endswith(b"\r\n\r\nHello again\r\n")


async def test_the_oldest_go_when_there_are_too_many(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, most_messages=3)
    for number in range(5):
        await outbox.send(str(number), message())
        os.utime(tmp_path / f"{number}.eml", (number, number))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2.eml", "3.eml", "4.eml"]


async def test_trouble_may_pass(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("in the way")
    with pytest.raises(MailUnavailable):
        await Outbox(tmp_path / "outbox").send("1", message())

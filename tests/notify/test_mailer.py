"""Sending to a real SMTP server, and what its answers mean; writing to the outbox."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from quickthumb.config import SmtpServer
from quickthumb.notify.errors import MailRefused, MailUnavailable
from quickthumb.notify.mailer import Outbox, SmtpMailer


class Scripted:
    """A scripted mail server: what it answers to a recipient and to the message."""

    def __init__(self) -> None:
        self.recipient = self.data = "250 OK"
        self.received: list[Envelope] = []
        self.logins: list[tuple[bytes, bytes]] = []

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name for it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self.recipient

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.received.append(envelope)
        return self.data

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, way: str, login: Any) -> AuthResult:
        assert isinstance(login, LoginPassword)
        self.logins.append((login.login, login.password))
        return AuthResult(success=login.password == b"right", handled=False)


@pytest.fixture
def handler() -> Scripted:
    return Scripted()


@pytest.fixture
async def port(handler: Scripted) -> AsyncIterator[int]:
    def connection() -> SMTP:
        return SMTP(handler, hostname="localhost", authenticator=handler.authenticate, auth_require_tls=False)

    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


def message(text: str = "Hello") -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"] = "robot@example.org", "ada@example.com"
    made.set_content(text)
    return made


def server(port: int, **changes: Any) -> SmtpServer:
    return SmtpServer(**{"host": "127.0.0.1", "port": port, "tls": "none", **changes})


async def test_a_message_is_sent(handler: Scripted, port: int) -> None:
    await SmtpMailer(server(port)).send("1", message())
    (envelope,) = handler.received
    assert (envelope.mail_from, envelope.rcpt_tos) == ("robot@example.org", ["ada@example.com"])
    assert handler.logins == []


@pytest.mark.parametrize("moment", ["recipient", "data"])
@pytest.mark.parametrize(
    ("answer", "error"),
    [("451 4.7.1 later", MailUnavailable), ("421 busy", MailUnavailable), ("550 5.1.1 secret reason", MailRefused)],
)
async def test_4xx_is_transient_and_5xx_is_permanent(
    handler: Scripted, port: int, moment: str, answer: str, error: type[Exception]
) -> None:
    setattr(handler, moment, answer)
    with pytest.raises(error, match=answer[:3]) as caught:
        await SmtpMailer(server(port)).send("1", message())
    assert "secret" not in str(caught.value)


async def test_it_logs_in(handler: Scripted, port: int) -> None:
    await SmtpMailer(server(port, user="robot", password="right")).send("1", message())
    assert handler.logins == [(b"robot", b"right")]
    with pytest.raises(MailRefused, match="535"):
        await SmtpMailer(server(port, user="robot", password="wrong")).send("1", message())


async def test_a_server_without_encryption_gets_nothing_when_it_is_to_be_encrypted(
    handler: Scripted, port: int
) -> None:
    for tls in ("starttls", "tls"):
        with pytest.raises(MailUnavailable):
            await SmtpMailer(server(port, tls=tls, user="robot", password="right")).send("1", message())
    assert handler.logins == []
    assert handler.received == []


async def test_an_unreachable_server_is_a_transient_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(MailUnavailable):
        await SmtpMailer(server(port)).send("1", message())


def test_the_password_is_not_shown() -> None:
    assert "right" not in repr(server(25, user="robot", password="right"))


async def test_the_outbox_makes_a_file_of_a_message(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox")
    for text in ("Hello", "Hello again"):
        await outbox.send("1", message(text))
    assert [path.name for path in (tmp_path / "outbox").iterdir()] == ["1.eml"]
    assert (tmp_path / "outbox" / "1.eml").read_bytes().endswith(b"\r\n\r\nHello again\r\n")


async def test_the_oldest_files_go_when_the_outbox_has_too_many(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path, max_messages=3)
    for number in range(5):
        await outbox.send(str(number), message())
        os.utime(tmp_path / f"{number}.eml", (number, number))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["2.eml", "3.eml", "4.eml"]


async def test_an_unwritable_outbox_is_a_transient_failure(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("in the way")
    with pytest.raises(MailUnavailable):
        await Outbox(tmp_path / "outbox").send("1", message())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
async def test_a_full_disk_leaves_no_half_of_an_email_in_the_outbox(tmp_path: Path) -> None:
    (tmp_path / "5f0c.part").symlink_to("/dev/full")
    with pytest.raises(MailUnavailable):
        await Outbox(tmp_path).send("5f0c", message())
    assert list(tmp_path.iterdir()) == []

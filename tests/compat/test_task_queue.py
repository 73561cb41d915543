"""A client of the task queue demo: it has an email sent, and polls its status."""

import asyncio
import email
import email.policy
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.compat.conftest import Site
from tests.waiting import wait_until


class TaskQueueClient:
    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def send(self, address: str) -> str:
        answer = await self._http.get(f"/send-email/{address}")
        assert answer.status_code == 200
        body = answer.json()
        assert body["message"] == "Email sending task has been queued."
        job_id: str = body["job_id"]
        return job_id

    async def status(self, job_id: str) -> dict[str, Any]:
        answer = await self._http.get(f"/job/{job_id}/status")
        assert answer.status_code == 200
        body: dict[str, Any] = answer.json()
        assert body["job_id"] == job_id
        return body

    async def ended(self, job_id: str) -> dict[str, Any]:
        async def has_ended() -> bool:
            return (await self.status(job_id))["status"] in ("DONE", "FAILED")

        await wait_until(has_ended)
        return await self.status(job_id)


class PostOffice:
    """A mail server's messages. It defers the first attempt at `busy@`, and rejects `gone@` permanently."""

    def __init__(self) -> None:
        self.tries: list[str] = []
        self.received: list[Envelope] = []

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name for it
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.tries.append(address)
        if address.startswith("gone@"):
            return "550 5.1.1 No such mailbox"
        if address.startswith("busy@") and self.tries.count(address) == 1:
            return "451 4.7.1 Try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.received.append(envelope)
        return "250 OK"


@pytest.fixture
async def office(post_office: socket.socket) -> AsyncIterator[PostOffice]:
    """A real SMTP server."""
    office = PostOffice()
    listening = post_office.dup()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(office, hostname="localhost"), sock=listening)
    yield office
    server.close()
    await server.wait_closed()


async def test_an_email_that_is_refused_at_first_is_received(mailing: httpx.AsyncClient, office: PostOffice) -> None:
    client = TaskQueueClient(mailing)
    job_id = await client.send("busy@example.com")
    status = await client.ended(job_id)
    assert status["status"] == "DONE"
    assert status["attempts"] == 2
    assert office.tries == ["busy@example.com"] * 2
    (envelope,) = office.received
    assert envelope.mail_from == "quickthumb@localhost"
    assert envelope.rcpt_tos == ["busy@example.com"]
    assert isinstance(envelope.content, bytes)
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert message["To"] == "busy@example.com"
    assert message["Subject"]
    assert message.get_content().strip()


async def test_an_email_that_is_refused_for_good_is_not_sent_again(
    mailing: httpx.AsyncClient, office: PostOffice
) -> None:
    client = TaskQueueClient(mailing)
    status = await client.ended(await client.send("gone@example.org"))
    assert (status["status"], status["attempts"]) == ("FAILED", 1)
    assert "550" in status["error"]
    assert "mailbox" not in status["error"]
    assert office.tries == ["gone@example.org"]


async def test_without_a_mail_server_it_is_written_to_a_folder(http: httpx.AsyncClient, site: Site) -> None:
    client = TaskQueueClient(http)
    job_id = await client.send("ada@example.com")
    assert (await client.ended(job_id))["status"] == "DONE"
    (path,) = (path for path in site.data.rglob("*.eml") if job_id in path.name)
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert message["To"] == "ada@example.com"
    assert path.name in site.log.read_text()


@pytest.mark.parametrize("address", ["ada@gmail.com", "ada@example.com.evil.net", "ada@notexample.com"])
async def test_strangers_are_not_written_to(http: httpx.AsyncClient, address: str) -> None:
    answer = await http.get(f"/send-email/{address}")
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "address",
    [
        "ada",
        "ada@example.com%0D%0ABcc:eve@example.com",
        "ada@example.com,eve@example.com",
        "ada@example.com%20eve@example.com",
        "%22Ada%20L%22%20%3Cada@example.com%3E",
        "victim%25evil.net@example.com",
        "evil.net!victim@example.com",
        "-oQ@example.com",
        "%7Cid@example.com",
        "a" * 65 + "@example.com",
        "ada@" + "e" * 300 + ".example.com",
    ],
)
async def test_what_is_not_one_address_is_refused(http: httpx.AsyncClient, address: str) -> None:
    assert (await http.get(f"/send-email/{address}")).status_code == 422


async def test_nobody_is_written_to_too_often(http: httpx.AsyncClient) -> None:
    """The limit by default is 20 emails to one address within an hour; case and tags make no other address."""
    for number in range(20):
        assert (await http.get(f"/send-email/Eve+{number}@example.com")).status_code == 200
    refused = await http.get("/send-email/eve@EXAMPLE.com")
    assert refused.status_code == 429
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["code"] == "too_many_emails"
    assert 3500 < int(refused.headers["retry-after"]) <= 3600
    assert (await http.get("/send-email/adam@example.com")).status_code == 200


async def test_asking_for_the_head_alone_sends_nothing(http: httpx.AsyncClient) -> None:
    assert (await http.head("/send-email/ada@example.com")).status_code == 405


async def test_an_unknown_job_is_not_found(http: httpx.AsyncClient) -> None:
    for job_id in ("0" * 32, "x"):
        assert (await http.get(f"/job/{job_id}/status")).status_code == 404

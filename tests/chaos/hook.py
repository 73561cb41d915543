"""A receiver of webhooks that fails in many ways, by chance, and checks every message as its own users would."""

import asyncio
import contextlib
import random
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from tests.chaos.report import Report

SLOW_SECONDS = 0.5
# A worker leaves a receiver alone for half a minute after five failures in a row: a run has not that much time.
MOST_IN_A_ROW = 2
MOST_FOR_A_MESSAGE = 3
TAKES = "takes it"
# It has taken the message, but the service cannot know.
UNTOLD = "takes it, answers nothing"
SLOW = "takes it slowly"
FAILED = "500"
RETRY_AFTER = "429 with Retry-After"
HANGS_UP = "hangs up"
HALF = "half an answer"
ANSWERS = {
    TAKES: b"HTTP/1.1 204 No Content\r\n\r\n",
    SLOW: b"HTTP/1.1 204 No Content\r\n\r\n",
    FAILED: b"HTTP/1.1 500 Failed\r\nContent-Length: 0\r\n\r\n",
    "404": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    RETRY_AFTER: b"HTTP/1.1 429 Wait\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n",
    HANGS_UP: b"",
    UNTOLD: b"",
    HALF: b"HTTP/1.1 20",
}
# How often each is chosen. The one with Retry-After is rare, since a worker then sends nothing for a second or two.
SHARES = {kind: 1 if kind == RETRY_AFTER else 4 for kind in ANSWERS if kind != TAKES}
# After these a worker waits before it sends anything else here.
PAUSING = {RETRY_AFTER, HANGS_UP, UNTOLD, HALF}


@dataclass
class Hook:
    """Verifies each message that it takes with `secret`, and fails at a share of them.

    `taken` has the events that it took, by job, and `names` their ids; some it took more than once. `forged` says what
    did not verify, `turned_away` which messages came while it was ill.
    """

    secret: str
    chance: random.Random
    failing_share: float
    port: int = 0
    taken: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    names: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    forged: list[str] = field(default_factory=list)
    did: Counter[str] = field(default_factory=Counter)
    turned_away: set[str] = field(default_factory=set)
    _is_ill: bool = False
    _failed: Counter[str] = field(default_factory=Counter)
    _in_a_row: int = 0

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"http://{self.place}/hook"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Takes one message, or does not."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            _, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            body = await reader.readexactly(int(headers["content-length"]))
            kind = self._next(headers["webhook-id"])
            if kind == SLOW:
                await asyncio.sleep(SLOW_SECONDS)
            if kind in (TAKES, SLOW, UNTOLD):
                self._take(headers, body)
            writer.write(ANSWERS[kind])
            await writer.drain()
        writer.close()

    @contextlib.contextmanager
    def ill(self) -> Iterator[None]:
        """Until the block ends, it answers every message with 500."""
        self._is_ill = True
        self.turned_away.clear()
        try:
            yield
        finally:
            self._is_ill = False

    def note(self, report: Report) -> None:
        """Tells the report how this receiver behaved."""
        report.misbehaved.update({f"receiver: {kind}": count for kind, count in self.did.items() if kind != TAKES})

    def _next(self, name: str) -> str:
        if self._is_ill:
            self.turned_away.add(name)
            self.did[FAILED] += 1
            return FAILED
        fails = self.chance.random() < self.failing_share and self._failed[name] < MOST_FOR_A_MESSAGE
        kind = self.chance.choices([*SHARES], [*SHARES.values()])[0] if fails else TAKES
        self._in_a_row = self._in_a_row + 1 if kind in PAUSING else 0
        if self._in_a_row > MOST_IN_A_ROW:
            kind, self._in_a_row = TAKES, 0
        self._failed[name] += kind not in (TAKES, SLOW)
        self.did[kind] += 1
        return kind

    def _take(self, headers: dict[str, str], body: bytes) -> None:
        try:
            event = Verifier(self.secret).verify(body, headers)
        except WebhookVerificationError as error:
            self.forged.append(f"{headers.get('webhook-id')}: {error}")
            return
        self.taken[event["data"]["id"]].append(event)
        self.names[event["data"]["id"]].add(headers["webhook-id"])


@asynccontextmanager
async def hook(secret: str, chance: random.Random, failing_share: float) -> AsyncIterator[Hook]:
    """A receiver at an address of this machine."""
    made = Hook(secret, chance, failing_share)
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()

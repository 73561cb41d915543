"""A server that has pictures to fetch, and fails now and then before it gives one."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.chaos.pictures import Picture
from tests.chaos.report import Report
from tests.outbound.origin import Origin, answer, origin

SLOW_SECONDS = 0.3
REFUSALS = {
    "503": answer(b"", "503 Service Unavailable"),
    "503 with Retry-After": answer(b"", "503 Service Unavailable", Retry_After="1"),
    "hangs up": b"",
}
RESET, SLOW = "resets the connection in the body", "slow"
# How many failures come before a picture, if any: each costs the job a second or two.
FAILURES, SHARES = (1, 2), (4, 1)


@dataclass
class Shelf:
    """The pictures, each at a URL of its own. A share of them are not given at once."""

    server: Origin
    chance: random.Random
    failing_share: float
    did: Counter[str] = field(default_factory=Counter)

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server.port}"

    def offer(self, picture: Picture) -> str:
        """Puts a picture there; its URL. How it will fail first is decided now."""
        fails = self.chance.random() < self.failing_share
        (count,) = self.chance.choices(FAILURES, SHARES) if fails else (0,)
        coming = self.chance.sample([*REFUSALS, RESET, SLOW], k=count)
        whole = answer(picture.data, Content_Type=picture.content_type)

        async def reply(_: asyncio.StreamReader, writer: asyncio.StreamWriter, __: str) -> None:
            kind = coming.pop() if coming else ""
            self.did[kind] += 1
            if kind in REFUSALS:
                writer.write(REFUSALS[kind])
                return
            half = len(whole) - len(picture.data) // 2
            writer.write(whole[:half])
            await writer.drain()
            if kind == RESET:
                writer.transport.abort()
                return
            if kind == SLOW:
                await asyncio.sleep(SLOW_SECONDS)
            writer.write(whole[half:])
            await writer.drain()

        path = f"/{len(self.server.replies)}.{picture.content_type.rpartition('/')[2]}"
        self.server.replies[path] = reply
        return f"http://{self.place}{path}"

    def note(self, report: Report) -> None:
        """Tells the report how this server behaved."""
        report.misbehaved.update({f"origin: {kind}": count for kind, count in self.did.items() if kind})


@asynccontextmanager
async def shelf(chance: random.Random, failing_share: float) -> AsyncIterator[Shelf]:
    """A server at an address of this machine."""
    async with origin() as server:
        yield Shelf(server, chance, failing_share)

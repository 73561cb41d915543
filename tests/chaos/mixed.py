"""A load of every kind: plain uploads, images by URL, batches, the same image again, and webhooks that tell of all.

The servers around the service, which take its events and give it images, fail now and then by themselves.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from quickthumb.model.caller import DEFAULT_TENANT
from quickthumb.model.job import now
from quickthumb.model.webhook import OF_END, new_secret
from quickthumb.storage import FileStorage
from quickthumb.work.webhooks import Webhooks
from tests.chaos.batches import Batch, send_batch
from tests.chaos.hook import Hook, hook
from tests.chaos.pictures import Picture, any_job, any_picture, small_picture
from tests.chaos.shelf import Shelf, shelf
from tests.chaos.uploads import Kind, Stream, Upload, Way, upload

# In this mixture; what comes next is drawn as from a deck of cards, so that even a short run has some of each kind.
DECK = {Way.UPLOAD: 6, Way.HOOK: 3, Way.URL: 3, Way.PARTS: 1, Way.ZIP: 1, Way.TWIN: 3}
IN_A_BATCH = 3
# Different pictures that are sent again and again.
TWINS = 3
# A client that got no answer, or was told to come again, does so, with the same key. It waits for a process to start.
TRIES = 3
AGAIN_SECONDS = 0.2
PATIENCE_SECONDS = 20.0
COME_AGAIN = (httpx.codes.CONFLICT, httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE)
# Many attempts, soon after one another: deaths of workers take some of them.
PAUSES = "0.2, 0.3, 0.5, 1, 1, 2, 2, 2, 5, 5, 5, 10, 10, 10, 20, 20, 20"


@dataclass
class Load:
    """What is sent, and the servers around the service. `everything` is the webhook that is told of every job, `own`
    takes what is sent to URLs that came with jobs."""

    chance: random.Random
    everything: Hook
    own: Hook
    shelf: Shelf
    own_secret: str
    stream: Stream = field(default_factory=Stream)
    batches: dict[str, Batch] = field(default_factory=dict)
    _deck: list[Way] = field(default_factory=list)
    _twins: list[Picture] = field(default_factory=list)
    _sent: int = 0

    @property
    def settings(self) -> dict[str, Any]:
        """What the service must allow for this load."""
        return {
            "outbound_allowed": ",".join(one.place for one in (self.everything, self.own, self.shelf)),
            "webhook_allowed": f"http://{self.own.place}/*",
            "webhook_secrets": self.own_secret,
            "webhook_pauses": PAUSES,
            "url_allowed": f"http://{self.shelf.place}/*",
        }

    async def tell_everything(self, data_dir: Path) -> None:
        """Makes the webhook that is told of every job, in the storage of a service that is not started yet: a process
        that runs learns of it after two seconds, and this load kills it before."""
        webhooks = Webhooks(FileStorage(data_dir))
        made = await webhooks.create(DEFAULT_TENANT, self.everything.url, OF_END.values(), "every job", now())
        self.everything.secret = made.secrets[0].text

    async def send(self, client: httpx.AsyncClient) -> int:
        """Sends whatever comes next; returns how many pictures that were. Comes again as its answer says."""
        return await self.send_one(client, self._next_way())

    async def send_one(self, client: httpx.AsyncClient, way: Way) -> int:
        """Sends something in this way; returns how many pictures that were."""
        self._sent += 1
        key = f"load {self._sent}"
        if way in (Way.PARTS, Way.ZIP):
            return await self._send_batch(client, way, key)
        picture, parameters, url = self._any(way)

        async def attempt() -> list[Upload]:
            return [replace(await upload(client, picture, parameters, key, url=url), way=way)]

        await self._until_answered(attempt)
        return 1

    def _any(self, way: Way) -> tuple[Picture, dict[str, str], str | None]:
        if way is Way.TWIN:
            if len(self._twins) < TWINS:
                self._twins.append(any_picture(self.chance))
                return self._twins[-1], {"dedupe": "yes"}, None
            return self.chance.choice(self._twins), {"dedupe": "yes"}, None
        if way is Way.URL:
            picture = any_picture(self.chance)
            return picture, {}, self.shelf.offer(picture)
        picture, parameters = any_job(self.chance)
        return picture, {**parameters, "webhook": self.own.url} if way is Way.HOOK else parameters, None

    async def _send_batch(self, client: httpx.AsyncClient, way: Way, key: str) -> int:
        pictures = [small_picture(self.chance) for _ in range(IN_A_BATCH)]

        async def attempt() -> list[Upload]:
            sent, batch = await send_batch(client, pictures, key, zipped=way is Way.ZIP)
            if batch is not None:
                self.batches[batch.id] = batch
            return sent

        await self._until_answered(attempt)
        return IN_A_BATCH

    async def _until_answered(self, attempt: Callable[[], Awaitable[list[Upload]]]) -> None:
        """Repeats a request while it gets no answer, or one that asks for that. Whoever reaches nobody tries longer."""
        began, reached = time.monotonic(), 0
        while reached < TRIES and time.monotonic() < began + PATIENCE_SECONDS:
            sent = await attempt()
            self.stream.uploads += sent
            if not all(_comes_again(one) for one in sent):
                return
            reached += sent[0].kind is not Kind.UNREACHED
            await asyncio.sleep(AGAIN_SECONDS)

    def _next_way(self) -> Way:
        if not self._deck:
            self._deck = [way for way, count in DECK.items() for _ in range(count)]
            self.chance.shuffle(self._deck)
        return self._deck.pop()


def _comes_again(sent: Upload) -> bool:
    return sent.kind in (Kind.BROKEN, Kind.UNREACHED) or sent.status in COME_AGAIN


@asynccontextmanager
async def mixed_load(chance: random.Random, data_dir: Path, *, failing_share: float = 0.1) -> AsyncIterator[Load]:
    """A load for a service on this data folder. Start the service in the block, with the load's `settings`.

    The servers around it fail at a share of the requests.
    """
    own_secret = new_secret()
    # Each server has chances of its own: what is sent does not depend on when they are asked.
    chances = [random.Random(chance.random()) for _ in range(3)]
    async with (
        hook("", chances[0], failing_share) as everything,
        hook(own_secret, chances[1], failing_share) as own,
        shelf(chances[2], failing_share) as pictures,
    ):
        load = Load(chance, everything, own, pictures, own_secret)
        await load.tell_everything(data_dir)
        yield load

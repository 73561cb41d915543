"""What a job costs, in counts that are the same on every machine: syncs, hops between threads, Redis round trips.

Times differ from run to run: a test of times fails for no reason, or finds nothing. Counts do neither. Whoever adds a
sync, a hop or a round trip to the path of every job fails here, and has to write the new number down in the same
commit. docs/performance.md says what each of them is for.

What runs now and then in the background is counted as well. So the service gets one job after the other, and the
smallest count of all jobs is the one that holds.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import httpx
import psutil
import pytest
from redis.asyncio import Redis

from quickthumb.model.caller import Scope
from quickthumb.queue.keys import KEYS
from quickthumb.storage.layout import PROCESSED, SHARD_DIGITS, UPLOADS
from tests.access.test_doors import key_for
from tests.conftest import http_client, picture, running_service
from tests.costs import sitecustomize as counting
from tests.imaging.pictures import noise
from tests.redis_server import RedisServer
from tests.waiting import wait_until

JOBS = 30
WARM_UP = 3
# What one job costs. `commands` are those that Redis runs, also within scripts; `round trips` are what both processes
# together send to it, each of which may hold several commands.
COSTS = {
    "web syncs": 4,
    "web hops": 1,
    "worker syncs": 4,
    "worker hops": 3,
    "round trips": 4,
    "commands": 54,
}
# What one `GET /jobs/{id}` costs, with a key or without.
LOOK = {"web syncs": 0, "web hops": 0, "round trips": 1, "commands": 1}
# How many times the web process may hold the bytes of an upload at once, and the size of the one that shows it.
HELD_TIMES = 1.5
LARGE_SIDE = 900


@dataclass
class Service:
    """The service under count: its client, the last event that was read, its Redis and its processes' counts."""

    web: httpx.AsyncClient
    last_event: str
    redis: Redis
    files: dict[str, Path]
    asked: int = field(default=0)

    async def one_job(self, image: bytes) -> None:
        """Has one job made, and returns once the worker sleeps again."""
        answer = await self.web.post("/images/", content=image, headers={"Content-Type": "image/jpeg"})
        assert answer.status_code == 202, answer.text
        job_id = answer.json()["id"].encode()
        async with asyncio.timeout(30):
            while not await self._has_ended(job_id):
                pass
        await wait_until(self._worker_sleeps)

    async def _has_ended(self, job_id: bytes) -> bool:
        """Waits for an event. Whether it says that the job is DONE."""
        ((_, entries),) = await self.redis.xread({KEYS.events: self.last_event}, block=30_000)
        self.asked += 1
        self.last_event = entries[-1][0]
        return any(fields[b"id"] == job_id and fields[b"status"] == b"DONE" for _, fields in entries)

    async def counts(self) -> Counter[str]:
        """The counts of both processes so far, and what Redis has received and run for them."""
        stats = await self._info("stats")
        found = Counter(
            {
                "round trips": stats["total_reads_processed"] - self.asked,
                "commands": stats["total_commands_processed"] - self.asked,
            }
        )
        for name, path in self.files.items():
            numbers = counting.NUMBERS.unpack(path.read_bytes())
            found.update({f"{name} {what}": number for what, number in zip(counting.COUNTED, numbers, strict=True)})
        return found

    async def _worker_sleeps(self) -> bool:
        return bool((await self._info("clients"))["blocked_clients"])

    async def _info(self, section: str) -> dict[str, int]:
        answer: dict[str, int] = await self.redis.info(section)
        self.asked += 1
        return answer


@asynccontextmanager
async def counted_service(
    folder: Path, monkeypatch: pytest.MonkeyPatch, key: str | None = None
) -> AsyncIterator[Service]:
    """The service, whose processes write down their counts. Its client sends the key, if there is one."""
    counts = folder / "counts"
    counts.mkdir()
    monkeypatch.setenv(counting.FOLDER, str(counts))
    async with RedisServer(folder / "redis") as server, Redis.from_url(server.url) as redis:
        modules = (Path(counting.__file__).parent,)
        with running_service(folder / "service", modules=modules, redis_url=server.url) as address:
            _make_shards(folder / "service" / "data")
            files = {_role(path): path for path in counts.iterdir()}
            async with http_client(address) as web:
                if key is not None:
                    web.headers["Authorization"] = f"Bearer {key}"
                yield Service(web, "0", redis, files)


def _make_shards(data: Path) -> None:
    """As after some thousand jobs. Until then, most jobs have to make one, at the cost of a sync for each 16."""
    for area in (UPLOADS, PROCESSED):
        for number in range(16**SHARD_DIGITS):
            (data / area / f"{number:0{SHARD_DIGITS}x}").mkdir(parents=True, exist_ok=True)


def _role(counts: Path) -> str:
    words = psutil.Process(int(counts.name)).cmdline()
    return "web" if "serve" in words else "worker" if "arq" in words else "up"


async def test_a_job_costs_what_is_written_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with counted_service(tmp_path, monkeypatch) as service:
        image = picture()
        for _ in range(WARM_UP):
            await service.one_job(image)
        costs: list[Counter[str]] = []
        before = await service.counts()
        for _ in range(JOBS):
            await service.one_job(image)
            after = await service.counts()
            costs.append(Counter({name: after[name] - before[name] for name in after}))
            before = after
    assert {name: min(cost[name] for cost in costs) for name in COSTS} == COSTS


@pytest.mark.parametrize("has_key", [False, True], ids=["without a key", "with a key"])
async def test_a_look_at_a_job_costs_the_same_with_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_key: bool
) -> None:
    key = await key_for(tmp_path / "service", Scope.ADMIN) if has_key else None
    async with counted_service(tmp_path, monkeypatch, key) as service:
        await service.one_job(picture())
        (job,) = (await service.web.get("/jobs")).json()["jobs"]
        costs: list[Counter[str]] = []
        for _ in range(JOBS):
            before = await service.counts()
            assert (await service.web.get(f"/jobs/{job['id']}")).status_code == 200
            after = await service.counts()
            costs.append(Counter({name: after[name] - before[name] for name in LOOK}))
    assert {name: min(cost[name] for cost in costs) for name in LOOK} == LOOK


async def test_an_upload_is_held_in_memory_only_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONTRACEMALLOC", "1")
    image = _large_picture()
    async with counted_service(tmp_path, monkeypatch) as service:
        for _ in range(WARM_UP):
            await service.one_job(picture())
        before = (await service.counts())["web peak bytes"]
        await service.one_job(image)
        held_bytes = (await service.counts())["web peak bytes"] - before
    assert len(image) / 2 < held_bytes < HELD_TIMES * len(image)


def _large_picture() -> bytes:
    """A picture that is kept in memory until it has arrived, and is much larger than what else the process holds."""
    file = BytesIO()
    noise(LARGE_SIDE, LARGE_SIDE).save(file, "PNG", compress_level=1)
    return file.getvalue()

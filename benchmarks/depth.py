"""Measures deep queues and a large stock of ended jobs: latencies, Redis memory, and how fast a wiped Redis is rebuilt.

    python -m benchmarks.depth                   all depths: 100, 1,000, 10,000 and 100,000 jobs
    python -m benchmarks.depth 10000             one depth

It starts an embedded Redis of its own on a temporary folder, and calls the service's own stores: no web process and no
worker compete for the machine. Records are written without a sync, since only reading them is measured.
"""

import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from redis.asyncio import Redis

from quickthumb.config import Config
from quickthumb.devredis import EmbeddedRedis
from quickthumb.model.job import Job, Outcome, Result, Status, new_id, now
from quickthumb.model.source import Source
from quickthumb.queue.claims import Claims
from quickthumb.queue.connection import connect
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import KEYS, WAITING_SECONDS
from quickthumb.queue.repair import RepairLead
from quickthumb.service.repair import JobLedger, Repairer
from quickthumb.storage import FileStorage, RetentionAges
from quickthumb.storage.layout import outcome_key, record_key, source_key

DEPTHS = (100, 1_000, 10_000, 100_000)
RETENTION_SECONDS = 7 * 86_400
AGES = RetentionAges(RETENTION_SECONDS, 86_400, WAITING_SECONDS, 3_600)
# How often each request is measured at each depth.
TIMES = 200
# How many jobs a few workers run at a time: each further claim passes over them.
CLAIMED = 20
LARGEST_BATCH = 200


@dataclass(frozen=True, slots=True)
class Rebuild:
    """One rebuild of an empty Redis: the records that it read, its duration, and how long it kept the event loop from
    other work at a time (the longest and the 99th percentile). `added_ms` is the median time to accept a new job
    meanwhile. The CPU time, of this process and of Redis, is that for one record."""

    records: int
    seconds: float
    longest_stall_ms: float
    p99_stall_ms: float
    added_ms: float
    own_cpu_us: float
    redis_cpu_us: float

    @property
    def records_per_second(self) -> float:
        return self.records / self.seconds


@dataclass(frozen=True, slots=True)
class Depth:
    """Median latencies in milliseconds with `waiting` jobs in the queue: to accept a job, read its status, list the
    newest, count all for the metrics, look for missing ones as each round of repairs does, and claim one. Also the
    memory of one in Redis."""

    waiting: int
    accept_ms: float
    status_ms: float
    page_ms: float
    tally_ms: float
    reconcile_ms: float
    claim_ms: float
    bytes_per_waiting: float


def a_job(number: int) -> Job:
    """A job as a web process accepts one, older than the next."""
    source = Source(
        filename=f"IMG_{number:06}.jpg", format="jpeg", width=2725, height=2225, bytes=829_183, sha256=new_id() * 2
    )
    outputs = [{"name": "thumbnail", "width": 128, "height": 128}]
    created_at = now() - timedelta(hours=1) + timedelta(milliseconds=number)
    return Job(id=new_id(), created_at=created_at, source=source, order={"outputs": outputs})


def an_outcome(job: Job) -> Outcome:
    """How the job ended, as a worker writes it."""
    result = Result(name="thumbnail", filename="thumbnail.jpg", format="jpeg", width=128, height=104, bytes=4_047)
    return Outcome(status=Status.DONE, finished_at=now(), source=job.source, results=(result,))


def store_records(folder: Path, count: int, ended: int) -> None:
    """Writes the records of `count` jobs, and outcomes of `ended` of them, as a storage has them."""
    for number in range(count):
        job = a_job(number)
        files = {record_key(job.id): job.record(), source_key(job.id): b"source"}
        if number < ended:
            files[outcome_key(job.id)] = an_outcome(job).model_dump_json().encode()
        for key, data in files.items():
            path = folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


@contextlib.asynccontextmanager
async def own_redis(folder: Path) -> AsyncIterator[Redis]:
    """A client of an embedded Redis that keeps its data in `folder`."""
    config = Config.of(data_dir=folder)
    embedded = EmbeddedRedis(socket=config.embedded_redis_socket, folder=config.storage.data_dir / "redis")
    await embedded.prepare()
    process = await asyncio.create_subprocess_exec(*embedded.command())
    try:
        while not await embedded.is_ready():  # noqa: ASYNC110 - no event tells of another process
            await asyncio.sleep(0.02)
        async with connect(config.redis_connection_url, Redis, attempts=1, answer_seconds=None) as client:
            yield client
    finally:
        process.terminate()
        await process.wait()
        embedded.tidy()


async def rebuild(redis: Redis, folder: Path) -> Rebuild:
    """Empties Redis and has it rebuilt from the records in `folder`, while jobs are accepted one after the other."""
    await _empty(redis)
    store = JobStore(redis, retention_seconds=RETENTION_SECONDS)
    lead = RepairLead(redis)
    repairer = Repairer(lead, [JobLedger(store, FileStorage(folder), AGES)], sweep_interval_seconds=1e9)
    stalls: list[float] = []
    added: list[float] = []
    others = [asyncio.create_task(_watch_loop(stalls)), asyncio.create_task(_accept(store, added))]
    own_cpu, redis_cpu = time.process_time(), await _redis_cpu_seconds(redis)
    began = time.perf_counter()
    report = await repairer.rebuild(lambda: lead.leads("benchmark"))
    seconds = time.perf_counter() - began
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    return Rebuild(
        records=report.looked_at,
        seconds=seconds,
        longest_stall_ms=max(stalls),
        p99_stall_ms=statistics.quantiles(stalls, n=100)[-1],
        added_ms=statistics.median(added),
        own_cpu_us=(time.process_time() - own_cpu) / report.looked_at * 1e6,
        redis_cpu_us=(await _redis_cpu_seconds(redis) - redis_cpu) / report.looked_at * 1e6,
    )


async def _redis_cpu_seconds(redis: Redis) -> float:
    found = await redis.info("cpu")
    return float(found["used_cpu_user"] + found["used_cpu_sys"])


async def _watch_loop(stalls: list[float]) -> None:
    while True:
        began = time.perf_counter()
        await asyncio.sleep(0.001)
        stalls.append(max(0.0, (time.perf_counter() - began) * 1000 - 1))


async def _accept(store: JobStore, added: list[float]) -> None:
    for number in range(1_000_000):
        job = a_job(number)
        began = time.perf_counter()
        await store.add(job)
        added.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(0.02)


async def fill(redis: Redis, count: int, *, ended: bool) -> None:
    """Adds jobs that wait, or restores jobs that have ended, some hundred at a time."""
    store = JobStore(redis, retention_seconds=RETENTION_SECONDS)
    for start in range(0, count, LARGEST_BATCH):
        jobs = [a_job(number) for number in range(start, min(count, start + LARGEST_BATCH))]
        await store.restore([(job, an_outcome(job) if ended else None) for job in jobs])


async def depth(redis: Redis, waiting: int) -> Depth:
    """Fills an empty Redis with waiting jobs, and measures."""
    await _empty(redis)
    store = JobStore(redis, retention_seconds=RETENTION_SECONDS)
    before = await _used_bytes(redis)
    await fill(redis, waiting, ended=False)
    filled = await _used_bytes(redis)
    jobs = iter([a_job(number) for number in range(TIMES)])
    known = [entry.decode() for entry in await redis.zrange(KEYS.queue, 0, 0)]
    claims = Claims(redis, lease_seconds=60)
    repairer = Repairer(
        RepairLead(redis),
        [JobLedger(store, FileStorage(Path("/nonexistent")), AGES)],
        sweep_interval_seconds=1e9,
    )
    measured = {
        "accept_ms": await _median_ms(lambda: store.add(next(jobs)), TIMES),
        "status_ms": await _median_ms(lambda: store.get(known[0]), TIMES),
        "page_ms": await _median_ms(lambda: store.page(status=None, limit=20, cursor=None), TIMES),
        "tally_ms": await _median_ms(store.tally, TIMES),
        "reconcile_ms": await _median_ms(repairer.reconcile, 3),
        "claim_ms": await _median_ms(lambda: claims.claim(1), CLAIMED),
    }
    return Depth(waiting=waiting, **measured, bytes_per_waiting=(filled - before) / waiting)


async def bytes_per_ended(redis: Redis, ended: int) -> float:
    """The Redis memory that a job takes which has ended, from an empty Redis that is filled with them."""
    await _empty(redis)
    before = await _used_bytes(redis)
    await fill(redis, ended, ended=True)
    return (await _used_bytes(redis) - before) / ended


async def _empty(redis: Redis) -> None:
    await redis.execute_command("FLUSHALL", "SYNC")  # type: ignore[no-untyped-call]


async def _used_bytes(redis: Redis) -> int:
    found = await redis.info("memory")
    return int(found["used_memory"] - found["mem_clients_normal"] - found["mem_aof_buffer"])


async def _median_ms(call: Callable[[], Awaitable[object]], times: int) -> float:
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        await call()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds) * 1000


async def _main(depths: list[int]) -> None:
    for count in depths:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            store_records(folder, count, ended=count // 2)
            async with own_redis(folder) as redis:
                print(await rebuild(redis, folder), flush=True)
                print(await depth(redis, count), flush=True)
                print(f"{await bytes_per_ended(redis, count):.0f} bytes of Redis per ended job", flush=True)


if __name__ == "__main__":
    asyncio.run(_main([int(word) for word in sys.argv[1:]] or list(DEPTHS)))

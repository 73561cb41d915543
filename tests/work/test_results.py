"""Results are told one by one while a job is being made, and never after its end."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from redis.asyncio import Redis

from quickthumb.imaging import engine
from quickthumb.imaging.engine import Made, Rendering, Tell
from quickthumb.model.errors import BrokenImage
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.connection import connect
from quickthumb.queue.events import Event, EventLog
from quickthumb.queue.jobs import JobStore
from quickthumb.work.results import TellingRender
from tests.conftest import picture
from tests.redis_fixtures import a_job, attempts, claimed, client, redis, redis_url, shared_redis, store
from tests.waiting import wait_until

__all__ = ["attempts", "client", "redis", "redis_url", "shared_redis", "store"]

OUTPUTS = [Output(name=name, width=width) for name, width in (("small", 20), ("large", 40))]


class InSteps:
    """Renders, and waits for the test before each of its results."""

    def __init__(self) -> None:
        self.steps: asyncio.Queue[None] = asyncio.Queue()

    async def __call__(self, source: Path, outputs: Sequence[Output], folder: Path, tell: Tell) -> Rendering:
        made: list[Made] = []
        rendering = await asyncio.to_thread(engine.render, source, outputs, folder, Limits(), tell=made.append)
        for each in made:
            await self.steps.get()
            await asyncio.to_thread(tell, each)
        await self.steps.get()
        return rendering


async def results_in(log: EventLog, start: tuple[int, int]) -> list[str]:
    events: list[Event] = await log.since(start) or []
    return [event.result.name for event in events if event.result is not None]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(picture(64, 48))
    return path


async def test_each_is_told_before_the_end(
    store: JobStore, attempts: Attempts, client: Redis, source: Path, tmp_path: Path
) -> None:
    job, log, steps = a_job(), EventLog(client), InSteps()
    await store.add(job)
    start = (await log.moment([])).cursor
    attempt = await claimed(attempts, job.id)
    rendering = asyncio.create_task(TellingRender(log, steps)(attempt, source, OUTPUTS, tmp_path))
    for told in (["large"], ["large", "small"]):  # the engine makes the largest first
        steps.steps.put_nowait(None)

        async def is_told(told: Sequence[str] = told) -> bool:
            return await results_in(log, start) == told

        await wait_until(is_told)
    steps.steps.put_nowait(None)
    assert [made.name for made in (await rendering).made] == ["small", "large"]


async def test_a_quick_job_costs_nothing_more(
    store: JobStore, attempts: Attempts, client: Redis, redis: Redis, source: Path, tmp_path: Path
) -> None:
    async def render(source: Path, outputs: Sequence[Output], folder: Path, tell: Tell) -> Rendering:
        return await asyncio.to_thread(engine.render, source, outputs, folder, Limits(), tell=tell)

    job, log = a_job(), EventLog(client)
    await store.add(job)
    attempt = await claimed(attempts, job.id)
    await TellingRender(log, render)(attempt, source, OUTPUTS, tmp_path)  # whatever is loaded only once
    before = (await redis.info("stats"))["total_commands_processed"]
    await TellingRender(log, render)(attempt, source, OUTPUTS, tmp_path)
    assert (await redis.info("stats"))["total_commands_processed"] == before + 1


async def test_neither_an_error_nor_an_outage_changes_what_comes_of_it(
    store: JobStore, attempts: Attempts, source: Path, tmp_path: Path
) -> None:
    job = a_job()
    await store.add(job)
    attempt = await claimed(attempts, job.id)
    async with connect("redis://127.0.0.1:1", Redis, attempts=0, answer_seconds=0.5) as nowhere:
        steps = InSteps()
        rendering = asyncio.create_task(TellingRender(EventLog(nowhere), steps)(attempt, source, OUTPUTS, tmp_path))
        for _ in range(3):
            steps.steps.put_nowait(None)
        assert len((await rendering).made) == 2

        async def refuse(
            source: Path, outputs: Sequence[Output], folder: Path, tell: Callable[[Made], None]
        ) -> Rendering:
            raise BrokenImage("The image is broken.")

        with pytest.raises(BrokenImage):
            await TellingRender(EventLog(nowhere), refuse)(attempt, source, OUTPUTS, tmp_path)

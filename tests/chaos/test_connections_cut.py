"""The connection to Redis breaks before a change was made there, or after it, with the answer lost."""

import random
import signal
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from quickthumb.config import Config
from tests.chaos.conftest import Scale
from tests.chaos.fleet import Fleet, free_port
from tests.chaos.mixed import mixed_load
from tests.chaos.mixed_verdict import judge_load
from tests.chaos.pictures import Picture, small_picture
from tests.chaos.proxy import Choose, Cut, Proxy
from tests.chaos.report import Report
from tests.chaos.uploads import Kind, Stream
from tests.chaos.verdict import judge
from tests.waiting import wait_until

# More than the web ever sends one command again.
ALWAYS = 10


def _proxy(folder: Path) -> Proxy:
    return Proxy(Config.of(data_dir=folder / "queue").redis_connection_url, free_port())


async def test_an_upload_whose_queueing_is_cut_off_is_kept_once_or_not_at_all(
    tmp_path: Path, chance: random.Random, report: Report
) -> None:
    stream = Stream()
    async with _proxy(tmp_path) as proxy, Fleet(tmp_path, web_redis_url=proxy.url) as fleet:
        for cut, times in product(Cut, [1, ALWAYS]):
            picture, key = small_picture(chance), f'"{cut.name} {times}"'
            proxy.choose = _first(times, _queues_a_job, cut)
            sent = await stream.send(fleet.client, picture, key=key)
            assert sent.kind is (Kind.ACCEPTED if times == 1 else Kind.REFUSED)
            proxy.choose = lambda data: None
            await _is_accepted_again(fleet, stream, picture, key)
        _note(report, proxy, "web")
        await judge(fleet, stream, report)


async def _is_accepted_again(fleet: Fleet, stream: Stream, picture: Picture, key: str) -> None:
    """As a client does that sends its request again: it must get its one job."""

    async def accepted() -> bool:
        return (await stream.send(fleet.client, picture, key=key)).kind is Kind.ACCEPTED

    await wait_until(accepted)


async def test_a_web_process_whose_connections_are_cut_at_random_keeps_each_upload_once_or_not_at_all(
    tmp_path: Path, chance: random.Random, report: Report, scale: Scale
) -> None:
    async with (
        _proxy(tmp_path) as proxy,
        mixed_load(chance, tmp_path / "data") as load,
        Fleet(tmp_path, web_redis_url=proxy.url, **load.settings) as fleet,
    ):
        stream = load.stream
        proxy.choose = _at_random(chance, share=0.4)
        await stream.send_many(fleet.client, chance, scale.uploads, send=load.send)
        proxy.choose = lambda data: None
        _note(report, proxy, "web")
        assert not stream.of(Kind.BROKEN, Kind.UNREACHED)
        refusals = {(sent.status, bool(sent.retry_after)) for sent in stream.of(Kind.REFUSED) if not sent.in_batch}
        # 409: the request before, with the same key, could not give the key back.
        assert refusals <= {(503, True), (409, True)}
        assert {sent.status for sent in stream.of(Kind.REFUSED) if sent.in_batch} <= {503, 409}
        await judge_load(fleet, load, report)


async def test_a_worker_whose_connections_are_cut_at_random_finishes_every_job_and_tells_of_it(
    tmp_path: Path, chance: random.Random, report: Report, scale: Scale
) -> None:
    # Each cut may cost an attempt; that is the test's doing, and no sign that an image kills workers.
    async with (
        _proxy(tmp_path) as proxy,
        mixed_load(chance, tmp_path / "data") as load,
        Fleet(tmp_path, worker_redis_url=proxy.url, max_attempts=50, **load.settings) as fleet,
    ):
        [worker] = fleet.workers
        pid = worker.pid
        proxy.choose = _at_random(chance, share=0.06)
        await load.stream.send_many(fleet.client, chance, scale.uploads, send=load.send)
        for sent in load.stream.accepted[: scale.uploads // 2]:
            await fleet.until(sent.job_id, "DONE")
        proxy.choose = lambda data: None
        _note(report, proxy, "worker")
        await judge_load(fleet, load, report)
        assert (worker.alive, worker.pid) == (True, pid)


@pytest.mark.chaos
async def test_a_web_process_killed_between_disk_and_queue_leaves_a_job_that_is_done(
    tmp_path: Path, chance: random.Random, report: Report
) -> None:
    stream = Stream()
    async with (
        _proxy(tmp_path) as proxy,
        Fleet(tmp_path, web_redis_url=proxy.url, housekeeping_seconds=1, sweep_seconds=1) as fleet,
    ):

        def kill_at_queueing(data: bytes) -> Cut | None:
            if not _queues_a_job(data):
                return None
            report.fault("SIGKILL web")
            fleet.web.send(signal.SIGKILL)
            return Cut.BEFORE

        proxy.choose = kill_at_queueing
        sent = await stream.send(fleet.client, small_picture(chance))
        assert sent.kind is Kind.BROKEN
        await fleet.web.ended()
        proxy.choose = lambda data: None
        await fleet.start_web()
        await judge(fleet, stream, report)


def _queues_a_job(data: bytes) -> bool:
    return b"EVALSHA" in data and b"arq:job:" in data


def _first(times: int, concerns: Callable[[bytes], bool], cut: Cut) -> Choose:
    remaining = iter(range(times))
    return lambda data: cut if concerns(data) and next(remaining, None) is not None else None


def _at_random(chance: random.Random, share: float) -> Choose:
    return lambda data: chance.choice(list(Cut)) if chance.random() < share else None


def _note(report: Report, proxy: Proxy, whose: str) -> None:
    assert proxy.cuts
    for cut in proxy.cuts:
        report.faults[f"{whose}'s connection cut {cut.value}"] += 1

"""`quickthumb up` as a whole: the real Redis, web and worker."""

import asyncio
import contextlib
import os
import re
import signal
import sys
from argparse import Namespace
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from quickthumb.cli import listener, up
from quickthumb.cli.command import UserMistake
from quickthumb.config import Config
from tests.processes import is_alive
from tests.redis_server import RedisServer
from tests.waiting import wait_until

CHECKOUT = Path(__file__).parents[2]
READY = re.compile(r"QuickThumb is ready: http://127\.0\.0\.1:(\d+)/")


class Up:
    """A running `quickthumb up`, and what it has printed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.printed = ""
        self._reading = asyncio.create_task(self._read())

    async def ready(self) -> int:
        """The port, once the service has announced that it is ready."""
        await wait_until(lambda: bool(READY.search(self.printed)) or self._reading.done(), seconds=60)
        found = READY.search(self.printed)
        assert found, self.printed
        return int(found[1])

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Sends the signal, reads the output to its end, and returns the exit code."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        async with asyncio.timeout(60):
            await self._reading
            return await self.process.wait()

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while data := await self.process.stdout.read(4096):
            self.printed += data.decode()


@contextlib.asynccontextmanager
async def running(data_dir: Path, *options: str, before: tuple[str, ...] = (), **environment: str) -> AsyncIterator[Up]:
    """`quickthumb up`, started by the command `before`, if any."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("QUICKTHUMB_")}
    words = [*before, sys.executable, "-m", "quickthumb", "up", "--port", "0", "--data-dir", str(data_dir), *options]
    process = await asyncio.create_subprocess_exec(
        *words,
        cwd=CHECKOUT,
        env={**inherited, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    service = Up(process)
    try:
        yield service
    finally:
        await service.stop()


def plan(tmp_path: Path, workers: int = 1, **settings: object) -> up.Plan:
    return up.Plan(Config.of(data_dir=tmp_path, **settings), {}, workers)


def test_redis_is_started_first_and_the_web_last(tmp_path: Path) -> None:
    groups = up.children(plan(tmp_path, workers=2))
    assert [[child.name for child in group] for group in groups] == [["redis"], ["worker-1", "worker-2"], ["web"]]


def test_with_a_redis_named_none_is_started(tmp_path: Path) -> None:
    groups = up.children(plan(tmp_path, redis_url="redis://127.0.0.1:6379"))
    assert [[child.name for child in group] for group in groups] == [["worker"], ["web"]]


async def test_with_a_redis_named_a_worker_is_ready_when_that_answers(tmp_path: Path) -> None:
    async def is_ready(url: str) -> bool:
        (worker,), _ = up.children(plan(tmp_path, redis_url=url))
        assert worker.is_ready is not None
        return await worker.is_ready()

    assert not await is_ready(f"unix://{tmp_path}/nowhere.sock")
    async with RedisServer(tmp_path) as server:
        assert await is_ready(server.url)


def test_each_worker_has_a_name_of_its_own(tmp_path: Path) -> None:
    _, workers, _ = up.children(plan(tmp_path, workers=2, worker_name="left"))
    assert [worker.environment["QUICKTHUMB_WORKER_NAME"] for worker in workers] == ["left-1", "left-2"]


@pytest.mark.parametrize(("webs", "said"), [(None, []), (2, ["--workers", "2"])])
def test_the_web_starts_as_many_processes_as_asked(tmp_path: Path, webs: int | None, said: list[str]) -> None:
    *_, (web,) = up.children(up.Plan(Config.of(data_dir=tmp_path), {}, 1, webs))
    assert web.argv[-2 - len(said) :] == ["quickthumb", "serve", *said]


def test_workers_may_finish_their_jobs(tmp_path: Path) -> None:
    _, (worker,), _ = up.children(plan(tmp_path, shutdown_grace_seconds=40))
    assert worker.grace_seconds > 40


@pytest.mark.parametrize(
    ("prefix", "line"),
    [
        (up.REDIS_LOG_PREFIX, "17722:M 22 Nov 2026 05:29:03.339 # hello"),
        (up.REDIS_LOG_PREFIX, "17722:signal-handler (1795325343) hello"),
        (up.LOG_PREFIX, "2026-11-22 05:29:03.339 hello"),
        (up.LOG_PREFIX, "hello"),
    ],
)
def test_what_the_log_says_already_is_left_out(prefix: re.Pattern[str], line: str) -> None:
    assert prefix.sub("", line) == "hello"


@pytest.mark.parametrize(
    ("line", "is_noise"),
    [
        ("oO0OoO0OoO0Oo Valkey is starting oO0OoO0OoO0Oo", True),
        ("Redis version=6.2.14, bits=64, commit=40305114, modified=0, pid=2202, just started", True),
        ("WARNING overcommit_memory is set to 0! Background save may fail under low memory condition.", True),
        ("WARNING Memory overcommit must be enabled! Without it, a background save or replication may fail", True),
        ("WARNING You have Transparent Huge Pages (THP) support enabled in your kernel.", True),
        ("WARNING: The TCP backlog setting of 511 cannot be enforced", True),
        ("WARNING The Server is running with less memory than it needs", False),
        ("Asynchronous AOF fsync is taking too long (disk is busy?).", False),
        ("Fatal error loading the DB, check server logs. Exiting.", False),
    ],
)
def test_redis_greetings_are_left_out_and_its_troubles_are_not(line: str, is_noise: bool) -> None:
    assert bool(up.REDIS_NOISE.match(line)) is is_noise


def test_on_windows_a_sentence_names_the_other_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(UserMistake, match=r"on Windows start `quickthumb serve`"):
        up.run(Namespace())


async def test_it_comes_up_and_stops_without_leaving_a_process(tmp_path: Path) -> None:
    async with running(tmp_path, "--workers", "2") as service:
        port = await service.ready()
        assert await listener.answers("127.0.0.1", port, "/healthz")
        children = service.children()
        assert len(children) == 4
        assert await service.stop(signal.SIGINT) == 0
    assert not any(is_alive(child) for child in children)
    assert "\x1b[" not in service.printed
    assert not re.search(r"oO0O|WARNING", service.printed)
    assert f"settings from {CHECKOUT / 'settings.py'}" in service.printed
    assert "embedded Redis: Valkey 9." in service.printed
    assert service.printed.rstrip().endswith("stopped")


async def test_a_process_that_dies_is_replaced_redis_too(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        port = await service.ready()
        for name in ("unixsocket", "quickthumb serve", "arq"):
            victim = _find(service, name)
            assert victim is not None
            victim.kill()
            await wait_until(lambda name=name: _find(service, name) is not None, seconds=30)  # type: ignore[misc]
        await wait_until(lambda: listener.answers("127.0.0.1", port, "/healthz"), seconds=30)
        assert service.printed.count("was killed by SIGKILL; restarting") == 3
        assert await service.stop() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the next `up` ends what was left over")
async def test_a_killed_supervisor_takes_its_children_along(tmp_path: Path) -> None:
    async with running(tmp_path, "--web", "2") as service:
        await service.ready()
        await wait_until(lambda: service.printed.count("Application startup complete") == 2, seconds=30)
        children = service.children()
        await service.stop(signal.SIGKILL)
        await wait_until(lambda: not any(is_alive(child) for child in children), seconds=30)
    async with running(tmp_path) as again:
        await again.ready()


async def test_after_nohup_all_of_it_outlives_its_terminal(tmp_path: Path) -> None:
    async with running(tmp_path, before=("nohup",)) as service:
        port = await service.ready()
        worker = _find(service, "arq")
        assert worker is not None
        before = set(service.children())
        for process in (*before, psutil.Process(service.process.pid)):
            process.send_signal(signal.SIGHUP)
        worker.kill()  # it is replaced only if nothing is stopping
        await wait_until(lambda: "worker was killed by SIGKILL; restarting" in service.printed, seconds=30)
        assert before - {worker} <= set(service.children())
        assert await listener.answers("127.0.0.1", port, "/healthz")
        assert await service.stop() == 0


async def test_without_nohup_it_stops_with_its_terminal(tmp_path: Path) -> None:
    async with running(tmp_path) as service:
        await service.ready()
        assert await service.stop(signal.SIGHUP) == 0


async def test_a_worker_that_is_told_another_data_folder_and_port_gets_them(tmp_path: Path) -> None:
    async with running(tmp_path, QUICKTHUMB_PORT="1", QUICKTHUMB_DATA_DIR="/nowhere") as service:
        port = await service.ready()
        assert port != 1
        await wait_until(lambda: listener.answers("127.0.0.1", port, "/readyz"), seconds=30)
        assert (tmp_path / "store.json").exists()


async def test_it_comes_up_with_a_path_that_an_address_must_quote(tmp_path: Path) -> None:
    async with running(tmp_path / "C# 100%") as service:
        port = await service.ready()
        await wait_until(lambda: listener.answers("127.0.0.1", port, "/readyz"))


async def test_it_comes_up_with_a_path_too_long_for_a_socket(tmp_path: Path) -> None:
    data_dir = tmp_path / ("long" * 30)
    socket = Config.of(data_dir=data_dir).embedded_redis_socket
    async with running(data_dir) as service:
        await service.ready()
        assert socket.exists()
    assert not socket.parent.exists()


def _find(service: Up, name: str) -> psutil.Process | None:
    for child in service.children():
        with contextlib.suppress(psutil.NoSuchProcess):
            words = " ".join(child.cmdline())
            if is_alive(child) and name in words and "tether" not in words:
                return child
    return None

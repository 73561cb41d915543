"""The service as its real processes on a folder of its own: Redis, one web process and any number of workers."""

import asyncio
import contextlib
import shutil
import socket
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import psutil
from redis.asyncio import Redis

from quickthumb.config import Config
from quickthumb.devredis import EmbeddedRedis
from quickthumb.queue.keys import KEYS
from tests.chaos.process import Process, processes_with
from tests.conftest import clean_environment, http_client
from tests.redis_server import unrestricted
from tests.waiting import wait_until

START_SECONDS = 40.0
# Marks every process of one fleet, so that what is left of it can be found.
MARK = "CHAOS_FLEET"


class Fleet:
    """`async with Fleet(folder, workers=2) as fleet:` starts everything; leaving the block ends everything.

    `data_dir` holds uploads and results; Redis keeps its append-only file elsewhere. `web_redis_url` and
    `worker_redis_url` put something between them and Redis.
    """

    def __init__(
        self,
        folder: Path,
        *,
        workers: int = 1,
        data_dir: Path | None = None,
        web_redis_url: str | None = None,
        worker_redis_url: str | None = None,
        protocol: str = "quickthumb.web.protocol:BoundedProtocol",
        **settings: object,
    ) -> None:
        self.folder = folder
        self.data_dir = data_dir or folder / "data"
        self.leftovers: list[str] = []
        queue = Config.of(data_dir=folder / "queue")
        self.redis_url = queue.redis_connection_url
        self._embedded = EmbeddedRedis(socket=queue.embedded_redis_socket, folder=queue.storage.data_dir / "redis")
        self._settings = {"data_dir": self.data_dir, **settings}
        self._worker_redis_url = worker_redis_url or self.redis_url
        self._initial_workers = workers
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        command = unrestricted(self._embedded.command())
        self.redis = Process("redis", command, self._environment(self.redis_url), folder / "redis.log")
        serving = [sys.executable, "-m", "uvicorn", "quickthumb.app:app", "--port", str(self.port)]
        serving += ["--http", protocol]
        self.web = Process("web", serving, self._environment(web_redis_url or self.redis_url), folder / "web.log")
        self.workers: list[Process] = []
        self.client = http_client(self.address, timeout=60)
        self.store = Redis.from_url(self.redis_url)

    async def __aenter__(self) -> Self:
        try:
            await self.start_redis()
            await asyncio.gather(self.start_web(), *(self.add_worker() for _ in range(self._initial_workers)))
        except BaseException:
            await self._clear_away()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        orphans = await self._clear_away()
        if error is None:
            assert not orphans, f"processes were left behind: {orphans}"
        else:
            error.add_note(f"The logs are in {self.folder}.")

    async def start_redis(self) -> None:
        """Starts Redis and waits until it has read its append-only file."""
        await self._embedded.prepare()
        await self.redis.start()
        await wait_until(self._embedded.is_ready, seconds=START_SECONDS)

    async def wipe_redis(self) -> None:
        """Replaces Redis by a fresh, empty one at the same address."""
        await self.redis.kill()
        shutil.rmtree(self._embedded.folder)
        await self.start_redis()

    async def start_web(self) -> None:
        """Starts the web process and waits until it answers."""
        await self.web.start()
        await wait_until(self._web_answers, seconds=START_SECONDS)

    async def add_worker(self) -> Process:
        """Starts one more worker and waits until it works."""
        name = f"worker-{len(self.workers) + 1}"
        words = [sys.executable, "-m", "arq", "quickthumb.worker.Settings"]
        worker = Process(name, words, self._environment(self._worker_redis_url), self.folder / f"{name}.log")
        self.workers.append(worker)
        await self.start_worker(worker)
        return worker

    async def start_worker(self, worker: Process) -> None:
        """Starts a worker that has ended, and waits until it shows its first sign of life."""
        await worker.start()

        async def beats() -> bool:
            assert worker.alive, worker.said[-2000:]
            return any(f":{worker.pid}:" in name.decode() for name in await self.store.zrange(KEYS.workers, 0, -1))

        await wait_until(beats, seconds=START_SECONDS)

    def stray_worker(self, data_dir: Path) -> Process:
        """A worker with another data folder, not started yet."""
        words = [sys.executable, "-m", "arq", "quickthumb.worker.Settings"]
        environment = self._environment(self.redis_url) | {"QUICKTHUMB_DATA_DIR": str(data_dir)}
        stray = Process("stray", words, environment, self.folder / "stray.log")
        self.workers.append(stray)
        return stray

    def command(self, *words: str, log: str = "command.log") -> Process:
        """`quickthumb …` with the fleet's own configuration."""
        return Process(
            "command",
            [sys.executable, "-m", "quickthumb", *words],
            self._environment(self.redis_url),
            self.folder / log,
        )

    async def job(self, job_id: str, *, wait: int = 0) -> dict[str, Any]:
        """The job as the web shows it; with `wait`, once it has ended or the seconds are over."""
        answer = await self.client.get(f"/jobs/{job_id}", params={"wait": wait} if wait else None)
        assert answer.status_code == 200, f"GET /jobs/{job_id}: {answer.status_code} {answer.text}"
        job: dict[str, Any] = answer.json()
        return job

    async def until(self, job_id: str, *statuses: str, seconds: float = 30) -> dict[str, Any]:
        """The job, once it has one of the statuses."""
        seen: list[dict[str, Any]] = []

        async def has_it() -> bool:
            seen[:] = [await self.job(job_id)]
            return seen[0]["status"] in statuses

        await wait_until(has_it, seconds=seconds)
        return seen[0]

    def result_files(self, job_id: str) -> dict[str, tuple[int, int]]:
        """The files of the job's results with inode and modification time: any rewriting shows."""
        folder = self.data_dir / "processed" / job_id[:3] / job_id
        return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.glob("*")}

    def _environment(self, redis_url: str) -> dict[str, str]:
        return clean_environment(redis_url=redis_url, **self._settings) | {MARK: str(self.folder)}

    async def _web_answers(self) -> bool:
        assert self.web.alive, self.web.said[-2000:]
        try:
            return (await self.client.get("/healthz")).status_code == 200
        except httpx.TransportError:
            return False

    async def _clear_away(self) -> list[str]:
        await self.client.aclose()
        await self.store.aclose()
        for process in [*self.workers, self.web, self.redis]:
            await process.clear_away()
        orphans = processes_with(MARK, str(self.folder))
        told = [f"{orphan.pid} {' '.join(orphan.cmdline())}" for orphan in orphans]
        for orphan in orphans:
            with contextlib.suppress(psutil.NoSuchProcess):
                orphan.kill()
        self._embedded.tidy()
        return told


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

"""QuickThumb started part by part, for figures that need a queue without workers, or several kinds of workers."""

import contextlib
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from redis import Redis

from benchmarks.load import CHECKOUT
from benchmarks.processes import Server, free_port, listens, start, wait_until
from benchmarks.stacks import stop, work_folder
from quickthumb.config import Config
from quickthumb.devredis.server import EmbeddedRedis

WORKER = "quickthumb.worker.Settings"
# Waits 50 ms before it renders each job.
SLOW_WORKER = "benchmarks.slow_worker.Settings"
# Each sample costs the web process some milliseconds.
SAMPLE_SECONDS = 0.1
LONGEST_SECONDS = 300.0


@dataclass(slots=True)
class Assembled:
    """A running Redis and web process, and as many workers as were started."""

    folder: Path
    environment: dict[str, str]
    socket: Path
    port: int
    redis: Server
    web: Server
    workers: list[Server] = field(default_factory=list)

    def start_workers(self, number: int, settings: str = WORKER, **variables: str) -> None:
        """Starts workers, each with a name of its own."""
        words = [sys.executable, "-m", "arq", settings]
        for _ in range(number):
            name = {"QUICKTHUMB_WORKER_NAME": f"bench-{len(self.workers)}", **variables}
            self.workers.append(start(words, "worker", self.folder, {**self.environment, **name}))

    def stop_workers(self) -> None:
        """Stops all workers; each finishes the jobs that it has begun."""
        stop(self.workers)
        self.workers.clear()

    def jobs(self, status: str) -> int:
        """How many jobs have a status, from the metrics that everyone sees."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        return int(
            next(float(line.split()[1]) for line in lines if line.startswith(f'quickthumb_jobs{{status="{status}"}}'))
        )

    def finish_rate(self, at_least: int) -> float:
        """Jobs finished per second, once workers work at full speed, until so many more are DONE. The first fifth is
        left out, since the workers start meanwhile."""
        before, deadline = self.jobs("DONE"), time.monotonic() + LONGEST_SECONDS
        began: tuple[float, int] | None = None
        while True:
            done, moment = self.jobs("DONE") - before, time.perf_counter()
            if done >= at_least and began is not None:
                return (done - began[1]) / (moment - began[0])
            if began is None and done >= at_least / 5:
                began = (moment, done)
            if time.monotonic() > deadline:
                raise TimeoutError(f"only {done} of {at_least} jobs were done after {LONGEST_SECONDS:g} s")
            time.sleep(SAMPLE_SECONDS)

    def redis_memory_bytes(self) -> int:
        """What Redis has allocated."""
        with Redis(unix_socket_path=str(self.socket)) as client:
            return int(cast("Mapping[str, int]", client.info("memory"))["used_memory"])

    def wipe_redis(self) -> None:
        """Removes everything from Redis, as if it had lost its disk."""
        with Redis(unix_socket_path=str(self.socket)) as client:
            client.flushall()

    def recover(self) -> float:
        """Rebuilds Redis from the records with `quickthumb recover`. Returns the seconds that the command took."""
        began = time.perf_counter()
        words = [sys.executable, "-m", "quickthumb", "recover"]
        subprocess.run(words, env=self.environment, cwd=self.folder, check=True, capture_output=True)
        return time.perf_counter() - began


@contextlib.contextmanager
def assembled(settings: Mapping[str, str] | None = None, name: str = "assembled") -> Iterator[Assembled]:
    """Starts Redis, with the options that `quickthumb up` gives it, and a web process; stops all at the end."""
    with work_folder(name) as folder:
        data = folder / "data"
        data.mkdir()
        socket = Config.of(data_dir=data).embedded_redis_socket
        embedded = EmbeddedRedis(socket=socket, folder=data / "redis")
        for needed in (embedded.folder, socket.parent):
            needed.mkdir(mode=0o700, parents=True, exist_ok=True)
        port = free_port()
        environment = {
            "QUICKTHUMB_DATA_DIR": str(data),
            "QUICKTHUMB_PORT": str(port),
            "QUICKTHUMB_LOG_REQUESTS": "none",
            "QUICKTHUMB_MAX_QUEUED": "1000000",
            "PYTHONPATH": str(CHECKOUT),
            "PATH": "/usr/bin:/bin",
            **(settings or {}),
        }
        servers: list[Server] = []
        try:
            servers.append(start(embedded.command(), "redis", folder))
            wait_until(socket.exists, servers[0])
            servers.append(start([sys.executable, "-m", "quickthumb", "serve"], "web", folder, environment))
            wait_until(lambda: listens(port), servers[1])
            parts = Assembled(folder, environment, socket, port, servers[0], servers[1])
            try:
                yield parts
            finally:
                parts.stop_workers()
        finally:
            stop(servers)
            embedded.tidy()


def peak_memory_bytes(servers: Sequence[Server]) -> int:
    """The most memory that the processes have held since they started, in bytes (Linux only; elsewhere 0)."""
    status = [Path(f"/proc/{process.pid}/status") for server in servers for process in server.members()]
    lines = [line for path in status if path.exists() for line in path.read_text().splitlines()]
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

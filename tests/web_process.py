"""The web process alone, as an operator starts it: without a worker, and with a Redis that the test controls."""

import contextlib
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.conftest import CHECKOUT, clean_environment
from tests.waiting import wait_until


@dataclass(frozen=True)
class WebProcess:
    """A running web process: its URL, its data folder, its log so far, and the process itself."""

    address: str
    data: Path
    log: Path
    process: psutil.Process

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def kept(self) -> list[Path]:
        """The files of all uploads, including those that are still arriving."""
        return [path for path in (self.data / "uploads").rglob("*") if path.is_file()]


SERVE = ("quickthumb", "serve", "--port", "0")


@contextlib.asynccontextmanager
async def running_web(
    folder: Path, redis_url: str, *, words: tuple[str, ...] = SERVE, before: tuple[str, ...] = (), **settings: object
) -> AsyncIterator[WebProcess]:
    """Starts `python -m` with the words, waits until it listens, and shuts it down gracefully.

    The command `before`, such as `nohup`, starts it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    data, log_path = folder / "data", folder / "web.log"
    environment = clean_environment(data_dir=data, redis_url=redis_url, **settings) | {"PYTHONPATH": str(CHECKOUT)}
    with log_path.open("w") as log:
        command = [*before, sys.executable, "-m", *words]
        process = psutil.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            yield WebProcess(await _announced_address(process, log_path), data, log_path, process)
        finally:
            with contextlib.suppress(psutil.NoSuchProcess, subprocess.TimeoutExpired):
                process.terminate()
                process.wait(timeout=20)
            if process.is_running():
                process.kill()
                process.wait(timeout=20)


async def _announced_address(process: psutil.Popen, log: Path) -> str:
    found: list[str] = []

    def listens() -> bool:
        found[:] = re.findall(r"running on (http://\S+)", log.read_text())
        return bool(found) or process.poll() is not None

    await wait_until(listens, seconds=30)
    assert found, log.read_text()
    return found[0]

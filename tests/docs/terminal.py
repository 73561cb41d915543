"""A terminal in which a test types the commands of a page, as its reader would."""

import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from quickthumb.devredis.binary import find_server
from tests.conftest import CHECKOUT, START_SECONDS, clean_environment

# Programs that run until they are stopped, with what they print once they are ready.
SERVERS = {
    r"quickthumb up\b": r"ready: (http://\S+?)/?\s",
    r"quickthumb serve\b": r"running on (http://\S+)",
    r"arq quickthumb\.worker\.Settings$": r"redis_version",
    r"redis-server\b": r"",
}
SHOWN_WEB_PORT, SHOWN_REDIS_PORT = "8000", "6379"


def alike(text: str) -> str:
    """The text without its numbers, and without the names of the Redis and the folder."""
    return re.sub(r"\d+", "9", re.sub(r"\(Redis: .*\)", "", text))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def section(page: str, title: str) -> list[tuple[str, str]]:
    """The commands under one heading of a page in docs/, each with the output that the page shows."""
    text = (CHECKOUT / "docs" / page).read_text(encoding="utf-8")
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert found is not None, f"{page} has no section {title!r}"
    shown = []
    for block in re.findall(r"```console\n(.*?)```", found[1], re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            shown.append((command, output))
    return shown


class Terminal:
    """Runs commands in `folder`. Ports are free ones, and stay the same for all commands."""

    def __init__(self, folder: Path, redis_port: int | None = None) -> None:
        programs = folder / ".bin"
        programs.mkdir(parents=True, exist_ok=True)
        for name, words in {
            "quickthumb": f"{sys.executable} -m quickthumb",
            "arq": f"{sys.executable} -m arq",
            "redis-server": str(find_server().path),
        }.items():
            program = programs / name
            program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
            program.chmod(0o755)
        self.folder = folder
        self.redis_port = redis_port or free_port()
        self.web = ""
        self._environment = clean_environment(port=0, worker_threads=1) | {
            "PYTHONPATH": str(CHECKOUT),
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "LC_ALL": "C.UTF-8",
        }
        self._servers: list[tuple[subprocess.Popen[bytes], Path]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while self._servers:
            self.stop()

    def type(self, command: str, output: str = "") -> str:
        """Runs a command to its end and compares what it prints with `output`, numbers aside. Starts a server and waits
        until it is ready, and then returns its log."""
        real = command.replace(SHOWN_REDIS_PORT, str(self.redis_port))
        if real.startswith("export "):
            name, value = real.removeprefix("export ").split("=", 1)
            self._environment[name] = value
            return ""
        for start, ready in SERVERS.items():
            if re.match(start, real):
                return self._start(real, ready)
        ended = subprocess.run(
            ["sh", "-c", real], cwd=self.folder, env=self._environment, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        assert not output or alike(ended.stdout) == alike(output)
        return ended.stdout

    def stop(self) -> None:
        """Stops the server that was started last, as Ctrl-C does."""
        process, log = self._servers.pop()
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
        assert "Traceback" not in log.read_text(), log.read_text()

    def _start(self, command: str, ready: str) -> str:
        log = self.folder / f"{len(self._servers)}-{shlex.split(command)[0]}.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                shlex.split(command), cwd=self.folder, env=self._environment, stdout=output, stderr=output
            )
        self._servers.append((process, log))
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            found = re.search(ready, log.read_text())
            if found and (ready or self._redis_answers()):
                self.web = found[1] if found.re.groups else self.web
                return log.read_text()
            time.sleep(0.02)
        raise AssertionError(f"{command} did not start: {log.read_text()}")

    def _redis_answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.redis_port)):
            return True
        return False

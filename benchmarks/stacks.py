"""The stacks that are compared: how each is started, and how a client talks to it."""

import contextlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environments import BUILD, PEERS, python_environment
from benchmarks.processes import CORES, Role, Server, free_port, listens, start, wait_until
from quickthumb.devredis.binary import find_server

CHECKOUT = Path(__file__).resolve().parents[1]
READY = re.compile(r"ready: http://[^/\s]+:(\d+)")
FIVE_SIZES = (1280, 960, 640, 320, 128)


@dataclass(frozen=True, slots=True)
class Stack:
    """What a user may run. `done` and `failed` are text in its answers to polls; `start` starts it in a folder, and
    `uploads` is the folder in it that has the uploaded files."""

    name: str
    title: str
    done: str
    failed: str
    start: Callable[[Path], tuple[int, list[Server]]]
    fields: Callable[[Sequence[int]], list[tuple[str, str]]]
    uploads: str


@dataclass(frozen=True, slots=True)
class RunningStack:
    """A stack that accepts uploads at a port of the loopback interface."""

    stack: Stack
    port: int
    servers: list[Server]
    folder: Path


def peer_fields(sizes: Sequence[int]) -> list[tuple[str, str]]:
    """The form fields with which a peer makes these sizes; none for its default, one of 128 pixels."""
    return [] if tuple(sizes) == (128,) else [("sizes", str(size)) for size in sizes]


def own_fields(sizes: Sequence[int]) -> list[tuple[str, str]]:
    """The same for QuickThumb."""
    if tuple(sizes) == (128,):
        return []
    outputs = ", ".join(f'{{"name": "w{size}", "size": "{size}x{size}"}}' for size in sizes)
    return [("outputs", f"[{outputs}]")]


def quickthumb(
    name: str, title: str, *options: str, checkout: Path = CHECKOUT, settings: Mapping[str, str] | None = None
) -> Stack:
    """QuickThumb as `quickthumb up` runs it, with these options and settings."""

    def begin(folder: Path) -> tuple[int, list[Server]]:
        python = sys.executable if checkout == CHECKOUT else str(checkout / ".venv" / "bin" / "python")
        words = [python, "-m", "quickthumb", "up", "--port", "0", "--data-dir", str(folder / "data"), *options]
        environment = {"QUICKTHUMB_LOG_REQUESTS": "none", "PYTHONPATH": str(checkout), **(settings or {})}
        server = start(words, "supervisor", folder, environment, role_of)
        wait_until(lambda: bool(READY.search(server.log.read_text())), server)
        found = READY.search(server.log.read_text())
        assert found is not None
        return int(found[1]), [server]

    return Stack(name, title, '"status":"DONE"', '"status":"FAILED"', begin, own_fields, "data/uploads")


def role_of(words: Sequence[str]) -> Role | None:
    """The role of a process that `quickthumb up` started, by its command line."""
    if words and re.search(r"(valkey|redis)-server", words[0]):
        return "redis"
    if "serve" in words:
        return "web"
    return "worker" if any("quickthumb.worker" in word or "slow_worker" in word for word in words) else None


def peer(name: str, title: str, folder_name: str, done: str, workers: Sequence[Sequence[str]]) -> Stack:
    """A peer with FastAPI in front, and one Redis of its own."""

    def begin(folder: Path) -> tuple[int, list[Server]]:
        programs = python_environment(folder_name)
        redis_port, redis = plain_redis(folder)
        servers = [redis]
        try:
            environment = {
                **dict.fromkeys(("REDIS_URL", "RQ_REDIS_URL"), f"redis://127.0.0.1:{redis_port}/0"),
                "PYTHONPATH": str(PEERS / folder_name),
                "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
                "PYTHONDONTWRITEBYTECODE": "1",
            }
            port = free_port()
            web = ["uvicorn", "web:app", "--host", "127.0.0.1", "--port", str(port), "--no-access-log"]
            for role, words in [("web", web), *(("worker", list(words)) for words in workers)]:
                servers.append(start([str(programs / words[0]), *words[1:]], role, folder, environment))
            wait_until(lambda: listens(port), servers[1])
        except BaseException:
            stop(servers)
            raise
        return port, servers

    return Stack(name, title, f'"status":"{done}"', '"fail', begin, peer_fields, "uploads")


def plain_redis(folder: Path) -> tuple[int, Server]:
    """The same server program that QuickThumb uses, on a port of the loopback interface, with its own defaults."""
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--loglevel", "warning"]
    server = start([str(find_server().path), *options], "redis", folder)
    wait_until(lambda: listens(port), server)
    return port, server


def stop(servers: Sequence[Server]) -> None:
    """Stops servers in the reverse order of their start."""
    for server in reversed(servers):
        server.stop()


@contextlib.contextmanager
def running(stack: Stack) -> Iterator[RunningStack]:
    """Starts a stack in a folder of its own, on the disk of the checkout; stops it and removes the folder."""
    with work_folder(stack.name) as folder:
        port, servers = stack.start(folder)
        try:
            yield RunningStack(stack, port, servers, folder)
        finally:
            stop(servers)


@contextlib.contextmanager
def work_folder(name: str) -> Iterator[Path]:
    """An empty folder on the disk of the checkout. It is removed at the end."""
    BUILD.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=BUILD))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def known_stacks(before: Path | None = None) -> list[Stack]:
    """All stacks, QuickThumb first. Peers have as many workers as there are cores.

    `before` is another checkout of QuickThumb, with its own environment in .venv.
    """
    celery = [["celery", "--app", "tasks", "worker", "--concurrency", str(CORES), "--loglevel", "WARNING"]]
    rq = ["rq", "worker", "--quiet"]
    simple = ["--worker-class", "rq.worker.SimpleWorker"]
    stacks = [
        quickthumb("quickthumb", "QuickThumb"),
        quickthumb("quickthumb-2x2", "QuickThumb, `--web 2 --workers 2`", "--web", "2", "--workers", "2"),
        peer("celery", "FastAPI + Celery (prefork)", "celery", "SUCCESS", celery),
        peer("rq-simple", "FastAPI + RQ (SimpleWorker)", "rq", "finished", [[*rq, *simple]] * CORES),
        peer("rq", "FastAPI + RQ (a fork per job)", "rq", "finished", [rq] * CORES),
        peer("arq", "FastAPI + arq", "arq", "complete", [["arq", "tasks.WorkerSettings"]]),
    ]
    if before is not None:
        stacks.insert(1, quickthumb("before", "QuickThumb, before", checkout=before.resolve()))
    return stacks

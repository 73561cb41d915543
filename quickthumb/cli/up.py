"""`quickthumb up`: the whole service on one machine, in one terminal."""

import argparse
import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from quickthumb.cli import listener
from quickthumb.cli.child import Child
from quickthumb.cli.command import Command, UserMistake, lock_data_folder
from quickthumb.cli.log import Log, wants_color
from quickthumb.cli.supervisor import Supervisor
from quickthumb.compat.services import endpoints_of
from quickthumb.config import ENVIRONMENT_PREFIX, Config, load
from quickthumb.devredis import EmbeddedRedis
from quickthumb.service.presets import read_presets

WEB_GRACEFUL_SECONDS = 10
REDIS_GRACE_SECONDS = 30.0
MARGIN_SECONDS = 5.0

REDIS_LOG_PREFIX = re.compile(r"^\d+:(signal-handler \(\d+\)|\w \d+ \w+ \d+ [\d:.]+ [.*#-]) ")
ARQ_LOG_PREFIX = re.compile(r"^\d\d:\d\d:\d\d: ")


@dataclass(frozen=True)
class Plan:
    """What to run: the configuration, and the environment that passes it on to the children."""

    config: Config
    environment: Mapping[str, str]
    workers: int


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", help="address to listen on (default: the setting HOST, 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on; 0 picks a free one (default: PORT, 8000)")
    parser.add_argument("--data-dir", metavar="FOLDER", help="where images are kept (default: DATA_DIR, ./data)")
    parser.add_argument("--workers", type=_at_least_one, default=1, metavar="N", help="worker processes (default: 1)")


def run(arguments: argparse.Namespace) -> int:
    """Run everything until Ctrl-C or SIGTERM, then return 0."""
    if sys.platform == "win32":
        raise UserMistake(
            "`quickthumb up` runs on Linux and macOS; on Windows start `uvicorn quickthumb.app:app` and "
            "`arq quickthumb.worker.Settings`, with QUICKTHUMB_REDIS_URL set."
        )
    environment = {**os.environ, **_chosen(arguments)}
    config = load(environment)
    read_presets(config.presets)
    endpoints_of(config.compat)
    with lock_data_folder(config.data_dir):
        port = listener.free_port(config.host, config.port)
        asyncio.run(_serve(_plan(config.model_copy(update={"port": port}), environment, arguments.workers)))
    return 0


def children(plan: Plan) -> list[list[Child]]:
    """The processes to run, in their order of start: Redis, the workers, the web."""
    workers = [_worker(plan, number) for number in range(1, plan.workers + 1)]
    groups = [workers, [_web(plan)]]
    return groups if plan.config.redis_url else [[_redis(plan)], *groups]


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _chosen(arguments: argparse.Namespace) -> dict[str, str]:
    """The given options, as the environment variables that they override."""
    given = {"HOST": arguments.host, "PORT": arguments.port, "DATA_DIR": arguments.data_dir}
    return {f"{ENVIRONMENT_PREFIX}{name}": str(value) for name, value in given.items() if value is not None}


def _plan(config: Config, environment: Mapping[str, str], workers: int) -> Plan:
    effective = {"HOST": config.host, "PORT": config.port, "DATA_DIR": config.data_dir}
    handed_down = {f"{ENVIRONMENT_PREFIX}{name}": str(value) for name, value in effective.items()}
    return Plan(config, {**environment, **handed_down, "PYTHONUNBUFFERED": "1"}, workers)


async def _serve(plan: Plan) -> None:
    groups = children(plan)
    names = [child.name for group in groups for child in group]
    log = Log(sys.stdout, names, colored=wants_color(sys.stdout, plan.environment))
    supervisor = Supervisor(groups, log, lambda: _announce(plan, log))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, supervisor.stop)
    async with _prepared_redis(plan.config):
        await supervisor.run()
    log.tell("stopped")


@contextlib.asynccontextmanager
async def _prepared_redis(config: Config) -> AsyncIterator[None]:
    if config.redis_url:
        yield
        return
    redis = _embedded(config)
    await redis.prepare()
    try:
        yield
    finally:
        redis.tidy()


def _announce(plan: Plan, log: Log) -> None:
    log.tell(f"QuickThumb is ready: {listener.url(plan.config.host, plan.config.port)}  (Ctrl-C stops it)")


def _embedded(config: Config) -> EmbeddedRedis:
    return EmbeddedRedis(socket=config.embedded_redis_socket, folder=config.data_dir / "redis")


def _redis(plan: Plan) -> Child:
    redis = _embedded(plan.config)
    return Child("redis", redis.command(), plan.environment, REDIS_GRACE_SECONDS, redis.is_ready, REDIS_LOG_PREFIX)


def _worker(plan: Plan, number: int) -> Child:
    name = "worker" if plan.workers == 1 else f"worker-{number}"
    words = [sys.executable, "-m", "arq", "quickthumb.worker.Settings"]
    grace_seconds = plan.config.shutdown_grace_seconds + MARGIN_SECONDS
    return Child(name, words, plan.environment, grace_seconds, log_prefix=ARQ_LOG_PREFIX)


def _web(plan: Plan) -> Child:
    host, port = plan.config.host, plan.config.port
    words = [sys.executable, "-m", "uvicorn", "quickthumb.app:app", "--host", host, "--port", str(port)]
    words += ["--http", "quickthumb.web.protocol:BoundedProtocol"]
    words += ["--no-server-header", "--timeout-graceful-shutdown", str(WEB_GRACEFUL_SECONDS)]

    async def is_ready() -> bool:
        return await listener.answers(host, port, "/healthz")

    return Child("web", words, plan.environment, WEB_GRACEFUL_SECONDS + MARGIN_SECONDS, is_ready)


COMMAND = Command("up", "Run everything on this machine: Redis, the web process and workers.", add_options, run)

"""`quickthumb up`: the whole service on one machine, in one terminal."""

import argparse
import asyncio
import contextlib
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace

from quickthumb.cli import access, listener
from quickthumb.cli.child import Child
from quickthumb.cli.command import Command, UserMistake, ignores_hangup, lock_data_folder
from quickthumb.cli.log import JsonLog, Log, wants_color
from quickthumb.cli.options import add_listening_options, as_environment, at_least_one
from quickthumb.cli.supervisor import Supervisor
from quickthumb.compat.names import names_of
from quickthumb.config import Config, load, secrecy, settings_file
from quickthumb.devredis import EmbeddedRedis
from quickthumb.queue.connection import answers
from quickthumb.service.shutdown import GRACEFUL_SECONDS
from quickthumb.starting import presets_of, private_process

REDIS_GRACE_SECONDS = 30.0
MARGIN_SECONDS = 5.0

REDIS_LOG_PREFIX = re.compile(r"^\d+:(signal-handler \(\d+\)|\w \d+ \w+ \d+ [\d:.]+ [.*#-]) ")
# Greetings, and advice on tuning the kernel for large databases, while the embedded Redis holds a few megabytes.
REDIS_NOISE = re.compile(
    r"oO0OoO0OoO0Oo |(Redis|Valkey) version=|Configuration loaded$|Server initialized$"
    r"|WARNING:? (Memory overcommit must be enabled|overcommit_memory is set to 0|The TCP backlog setting)"
    r"|WARNING:? You have Transparent Huge Pages"
)
LOG_PREFIX = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} ")


@dataclass(frozen=True)
class Plan:
    """What to run: the configuration, the environment and the secrets that pass it on to the children, and how many
    workers and web processes. Without a number of web processes, `quickthumb serve` decides."""

    config: Config
    environment: Mapping[str, str]
    workers: int
    webs: int | None = None
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


def add_options(parser: argparse.ArgumentParser) -> None:
    add_listening_options(parser)
    parser.add_argument(
        "--data-dir", metavar="FOLDER", help="where images are stored (default: the setting DATA_DIR, ./data)"
    )
    parser.add_argument(
        "--workers", type=at_least_one, default=1, metavar="N", help="number of worker processes (default: 1)"
    )
    parser.add_argument(
        "--web",
        type=at_least_one,
        metavar="N",
        help="number of web processes, which share the port (default: the variable WEB_CONCURRENCY, or 1)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run everything until Ctrl-C or SIGTERM, then return 0. Raises UserMistake on Windows."""
    if sys.platform == "win32":
        raise UserMistake(
            "`quickthumb up` runs on Linux, macOS and WSL; on Windows start `quickthumb serve` and "
            "`arq quickthumb.worker.Settings`, with QUICKTHUMB_REDIS_URL set."
        )
    options = as_environment(HOST=arguments.host, PORT=arguments.port, DATA_DIR=arguments.data_dir)
    environment = {**secrecy.own_environment(), **options}
    config = load(environment)
    presets_of(config)
    names_of(config.compat)
    access.check(config)
    with private_process(config), lock_data_folder(config.storage.data_dir):
        web = replace(config.web, port=listener.free_port(config.web.host, config.web.port))
        asyncio.run(_run(_plan(replace(config, web=web), environment, arguments)))
    return 0


def children(plan: Plan) -> list[list[Child]]:
    """The processes to run, in their order of start: Redis, the workers, the web."""
    workers = [_worker(plan, number) for number in range(1, plan.workers + 1)]
    groups = [workers, [_web(plan)]]
    return groups if plan.config.redis.url else [[_redis(plan)], *groups]


def _plan(config: Config, environment: Mapping[str, str], arguments: argparse.Namespace) -> Plan:
    handed_down = as_environment(
        HOST=config.web.host,
        PORT=config.web.port,
        DATA_DIR=config.storage.data_dir,
        # This log is for people wherever it goes, unless the setting says otherwise, and it has the children's lines.
        LOG_FORMAT="text" if config.logs.format == "auto" else config.logs.format,
    )
    variables = secrecy.without_secrets({**environment, **handed_down, "PYTHONUNBUFFERED": "1"})
    return Plan(config, variables, arguments.workers, arguments.web, secrecy.taken())


async def _run(plan: Plan) -> None:
    groups = children(plan)
    names = [child.name for group in groups for child in group]
    kind = JsonLog if plan.config.logs.format == "json" else Log
    log = kind(sys.stdout, names, colored=wants_color(sys.stdout, plan.environment))
    found = settings_file(plan.environment)
    if found is not None:
        log.tell(f"settings from {found}")
    supervisor = Supervisor(groups, log, lambda: _announce(plan, log))
    # After `nohup`, the end of the terminal is ignored, and must stay so.
    hangup = [] if ignores_hangup() else [signal.SIGHUP]
    for number in (signal.SIGINT, signal.SIGTERM, *hangup):
        asyncio.get_running_loop().add_signal_handler(number, supervisor.stop)
    async with _prepared_redis(plan.config, log):
        await supervisor.run()
    log.tell("stopped")


@contextlib.asynccontextmanager
async def _prepared_redis(config: Config, log: Log) -> AsyncIterator[None]:
    if config.redis.url:
        yield
        return
    redis = _embedded(config)
    server = await redis.prepare()
    log.tell("; not ".join([f"embedded Redis: {server}", *server.others]))
    try:
        yield
    finally:
        redis.tidy()


def _announce(plan: Plan, log: Log) -> None:
    log.tell(f"QuickThumb is ready: {listener.url(plan.config.web.host, plan.config.web.port)}  (Ctrl-C stops it)")


def _embedded(config: Config) -> EmbeddedRedis:
    return EmbeddedRedis(socket=config.embedded_redis_socket, folder=config.storage.data_dir / "redis")


def _redis(plan: Plan) -> Child:
    redis = _embedded(plan.config)
    words, grace_seconds = redis.command(), REDIS_GRACE_SECONDS
    return Child("redis", words, plan.environment, grace_seconds, redis.is_ready, REDIS_LOG_PREFIX, REDIS_NOISE)


def _worker(plan: Plan, number: int) -> Child:
    name = "worker" if plan.workers == 1 else f"worker-{number}"
    environment = dict(plan.environment)
    if plan.workers > 1:
        environment |= as_environment(WORKER_NAME=f"{plan.config.worker.own_name}-{number}")

    async def is_ready() -> bool:
        return await answers(plan.config.redis_connection_url)

    words = [sys.executable, "-m", "arq", "quickthumb.worker.Settings"]
    grace_seconds = plan.config.worker.shutdown_grace_seconds + MARGIN_SECONDS
    # The embedded Redis answers already.
    ready = is_ready if plan.config.redis.url else None
    return Child(name, words, environment, grace_seconds, ready, LOG_PREFIX, secrets=plan.secrets)


def _web(plan: Plan) -> Child:
    async def is_ready() -> bool:
        return await listener.answers(plan.config.web.host, plan.config.web.port, "/healthz")

    words = [sys.executable, "-m", "quickthumb", "serve"]
    if plan.webs is not None:
        words += ["--workers", str(plan.webs)]
    grace_seconds = GRACEFUL_SECONDS + MARGIN_SECONDS
    return Child("web", words, plan.environment, grace_seconds, is_ready, LOG_PREFIX, secrets=plan.secrets)


COMMAND = Command(add_options, run)

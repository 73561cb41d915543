"""`quickthumb serve`: the web server alone, with the limits on request heads that plain uvicorn lacks.

It runs uvicorn in this process, so signals, log lines and exit codes are uvicorn's.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import Iterator
from typing import Any

import uvicorn
from redis.asyncio import Redis
from uvicorn.supervisors import multiprocess

from quickthumb import logs
from quickthumb.cli import access, listener
from quickthumb.cli.command import Command, UserMistake, ignores_hangup
from quickthumb.cli.options import add_listening_options, as_environment, at_least_one
from quickthumb.cli.tether import tether
from quickthumb.compat.names import names_of
from quickthumb.config import Config, load, secrecy
from quickthumb.metrics import MULTIPROCESS_FOLDER
from quickthumb.queue.condition import mistake_at_start
from quickthumb.queue.connection import connect, outage_of
from quickthumb.queue.keys import Keys
from quickthumb.service.shutdown import GRACEFUL_SECONDS
from quickthumb.starting import presets_of, private_process

APPLICATION = "quickthumb.app:app"
PROTOCOL = "quickthumb.web.protocol:BoundedProtocol"
# With several web processes, one that gives no sign of life for so long is replaced. A busy machine may take many
# seconds to import the application, and with uvicorn's own 5 s it would be replaced again and again.
ALIVE_SECONDS = 60


class LogConfig(dict[str, Any]):
    """The configuration of logs, which takes the secrets along to the web processes.

    uvicorn starts several web processes from the environment, which has no secrets any more. It pickles what it was
    called with, this too, and sends it to each of them through a pipe, before they load the application. They shut down
    when their parent dies, so that none of them keeps the port.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (dict(self), secrecy.taken(), os.getpid())


def _received(log_config: dict[str, Any], secrets: dict[str, str], parent: int) -> LogConfig:
    tether(parent, signal.SIGTERM)
    secrecy.keep(secrets)
    return LogConfig(log_config)


def add_options(parser: argparse.ArgumentParser) -> None:
    add_listening_options(parser)
    parser.add_argument(
        "--root-path",
        metavar="PATH",
        help="path prefix under which a reverse proxy serves QuickThumb (default: the setting ROOT_PATH, none)",
    )
    parser.add_argument(
        "--workers",
        type=at_least_one,
        metavar="N",
        help="number of web processes, which share the port (default: the variable WEB_CONCURRENCY, or 1)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM, and then let open requests finish. Raises UserMistake if the port is in use.

    With more than one worker, this process listens, starts the web processes and replaces those that die.
    """
    options = as_environment(HOST=arguments.host, PORT=arguments.port, ROOT_PATH=arguments.root_path)
    config = load({**secrecy.own_environment(), **options})
    # The application checks these as well, but uvicorn would then restart the failing web processes again and again.
    presets_of(config)
    names_of(config.compat)
    access.check(config)
    listener.free_port(config.web.host, config.web.port)
    if ignores_hangup():
        _keep_ignoring_hangup()
    if arguments.workers != 1:  # one process alone finds out by itself
        _check_redis(config)
    with private_process(config), _counted_together(arguments.workers):
        uvicorn.run(
            APPLICATION,
            host=config.web.host,
            port=config.web.port,
            http=PROTOCOL,
            root_path=config.web.root_path,
            server_header=False,
            proxy_headers=False,  # the application knows whom to believe, see TRUSTED_PROXIES
            log_config=LogConfig(logs.dictionary(config.logs.format, loggers=(*logs.OWN_LOGGERS, "uvicorn"))),
            access_log=False,  # the application logs requests itself, see LOG_REQUESTS
            timeout_graceful_shutdown=GRACEFUL_SECONDS,
            timeout_worker_healthcheck=ALIVE_SECONDS,
            workers=arguments.workers,
        )
    return 0


def _keep_ignoring_hangup() -> None:
    """Keeps uvicorn from handling SIGHUP: with several workers, it would restart them."""
    multiprocess.SIGNALS.pop(signal.SIGHUP, None)
    # Should uvicorn have another list one day: it never sees a signal that is blocked in all threads.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})


def _check_redis(config: Config) -> None:
    """Raises UserMistake if Redis can never be used: the parent of several web processes would restart them forever."""

    async def mistake() -> str | None:
        async with connect(config.redis_connection_url, Redis, attempts=0, answer_seconds=None) as redis:
            outage_of(redis).is_silent = True
            return await mistake_at_start(redis, Keys(config.redis.prefix))

    sentence = asyncio.run(mistake())
    if sentence is not None:
        raise UserMistake(sentence)


@contextlib.contextmanager
def _counted_together(workers: int | None) -> Iterator[None]:
    """Gives several web processes a folder for their metrics, so that each shows the sums of all."""
    several = (workers or int(os.environ.get("WEB_CONCURRENCY", "1"))) > 1
    if not several or MULTIPROCESS_FOLDER in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="quickthumb-metrics-") as folder:
        os.environ[MULTIPROCESS_FOLDER] = folder
        yield


COMMAND = Command(add_options, run)

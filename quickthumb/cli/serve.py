"""`quickthumb serve`: the web server alone, with the limits on request heads that plain uvicorn lacks.

It runs uvicorn in this process, so signals, log lines and exit codes are uvicorn's.
"""

import argparse
import contextlib
import os
import tempfile
from collections.abc import Iterator

import uvicorn

from quickthumb import logs
from quickthumb.cli import listener
from quickthumb.cli.command import Command
from quickthumb.compat.services import endpoints_of
from quickthumb.config import ENVIRONMENT_PREFIX, load
from quickthumb.metrics import MULTIPROCESS_FOLDER
from quickthumb.service.presets import read_presets

APPLICATION = "quickthumb.app:app"
PROTOCOL = "quickthumb.web.protocol:BoundedProtocol"
# How long open requests may take to finish after SIGTERM.
GRACEFUL_SECONDS = 10


def add_options(parser: argparse.ArgumentParser) -> None:
    add_listening_options(parser)
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
    config = load({**os.environ, **as_environment(HOST=arguments.host, PORT=arguments.port)})
    # The application checks these as well, but uvicorn would then restart the failing web processes again and again.
    read_presets(config.presets)
    endpoints_of(config.compat)
    listener.free_port(config.web.host, config.web.port)
    with _counted_together(arguments.workers):
        uvicorn.run(
            APPLICATION,
            host=config.web.host,
            port=config.web.port,
            http=PROTOCOL,
            server_header=False,
            log_config=logs.dictionary(config.logs.format, loggers=(*logs.OWN_LOGGERS, "uvicorn")),
            access_log=False,  # the application logs requests itself, see LOG_REQUESTS
            timeout_graceful_shutdown=GRACEFUL_SECONDS,
            workers=arguments.workers,
        )
    return 0


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


def add_listening_options(parser: argparse.ArgumentParser) -> None:
    """Add `--host` and `--port`."""
    parser.add_argument("--host", help="network address to listen on (default: the setting HOST, 127.0.0.1)")
    parser.add_argument(
        "--port", type=int, help="port to listen on; 0 takes a free one (default: the setting PORT, 8000)"
    )


def at_least_one(text: str) -> int:
    """An option's value as a number of processes."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("there must be at least one")
    return number


def as_environment(**options: object) -> dict[str, str]:
    """The options that were given, as environment variables: they replace those that set the same settings."""
    return {f"{ENVIRONMENT_PREFIX}{name}": str(value) for name, value in options.items() if value is not None}


COMMAND = Command("serve", "Run the web server alone, without Redis and workers.", add_options, run)

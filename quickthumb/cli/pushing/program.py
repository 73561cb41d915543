"""The course of `quickthumb push`: check the command, look for images, push them, sum up."""

import argparse
import asyncio
import contextlib
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from quickthumb.cli.command import UserMistake
from quickthumb.cli.pushing.folder import PassedOver, Photo, found
from quickthumb.cli.pushing.journal import Journal
from quickthumb.cli.pushing.report import Report, advise
from quickthumb.cli.pushing.run import CannotGoOn, Run
from quickthumb.cli.render import ordered, sentence
from quickthumb.client import AsyncClient, ClientError, Problem, Retries, UnexpectedAnswer
from quickthumb.model.errors import QuickThumbError
from quickthumb.model.order import DEFAULT_PRESET, Order, order_fields
from quickthumb.model.output import Output, parse_output

# Not an option: others on the machine can read those.
KEY_VARIABLE = "QT_API_KEY"
LOCK_FILE = ".quickthumb-push.lock"
# A wrong URL should show soon.
FIRST_ATTEMPTS = 2
GO_ON = "Run the same command again to go on."


def push(arguments: argparse.Namespace) -> int:
    """Run the command, and return its exit code. Raises UserMistake."""
    folder, out = _folders(arguments)
    order = ordered(arguments, order_fields())
    try:
        with _locked(out), Journal(out, arguments.server, order) as journal:
            return _run(arguments, folder, journal, order)
    except OSError as error:
        raise UserMistake(f"Cannot use the folder {out}: {error.strerror or error}.") from error


def _run(arguments: argparse.Namespace, folder: Path, journal: Journal, order: Sequence[tuple[str, str]]) -> int:
    stop = _Stop()
    try:
        files = list(found(folder, arguments.out.resolve(), recursive=arguments.recursive))
        photos = [file for file in files if isinstance(file, Photo)]
        passed_over = [file for file in files if isinstance(file, PassedOver)]
        report = Report(len(photos), passed_over, as_json=arguments.json)
        try:
            asyncio.run(_pushed(arguments, journal, order, photos, report, stop))
        except CannotGoOn as reason:
            report.summarize()
            advise(f"{reason} {GO_ON}")
            return 1
        except (KeyboardInterrupt, asyncio.CancelledError):
            report.summarize()
            raise
    except (KeyboardInterrupt, asyncio.CancelledError):
        advise(f"Stopped. {GO_ON}")
        return stop.code
    return _summed_up(report, arguments)


def _summed_up(report: Report, arguments: argparse.Namespace) -> int:
    report.summarize()
    if not report.has_failures:
        return 0
    again = "Run the same command again" if arguments.retry else "Add --retry to the same command"
    advise(f"Some images failed. {again} to try them again.")
    return 1


class _Stop:
    """SIGTERM stops the run as Ctrl-C does. `code` is the exit code after either."""

    code = 128 + signal.SIGINT

    def listen(self) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - called by a task

        def terminate() -> None:
            self.code = 128 + signal.SIGTERM
            task.cancel()

        with contextlib.suppress(NotImplementedError):  # Windows
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminate)


async def _pushed(
    arguments: argparse.Namespace,
    journal: Journal,
    order: Sequence[tuple[str, str]],
    photos: Sequence[Photo],
    report: Report,
    stop: _Stop,
) -> None:
    stop.listen()
    try:
        client = AsyncClient(arguments.server, key=os.environ.get(KEY_VARIABLE), retries=Retries(arguments.attempts))
    except ValueError as error:
        raise UserMistake(str(error)) from None
    async with client:
        await _check(arguments, order)
        run = Run(client, journal, arguments.out, order, retry=arguments.retry)
        with report:
            await run.push_all(photos, report, at_once=arguments.jobs)


async def _check(arguments: argparse.Namespace, order: Sequence[tuple[str, str]]) -> None:
    """Make sure that the server answers and that the order is valid, rather than fail with every image."""
    retries = Retries(min(arguments.attempts, FIRST_ATTEMPTS))
    async with AsyncClient(arguments.server, key=os.environ.get(KEY_VARIABLE), retries=retries) as client:
        try:
            presets = await client.presets()
        except UnexpectedAnswer as error:
            raise UserMistake(f"{arguments.server}: {error}") from None
        except Problem as problem:
            if problem.status in (404, 405):
                raise UserMistake(f"{arguments.server} is not the URL of a QuickThumb service.") from None
            raise CannotGoOn(f"{arguments.server}: {problem}") from problem
        except ClientError as error:
            raise CannotGoOn(f"{arguments.server}: {error}") from error
    try:
        Order.parse(order, _outputs_of(presets))
    except QuickThumbError as error:
        raise UserMistake(sentence(error)) from None


def _outputs_of(presets: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, tuple[Output, ...]]:
    """The server's presets as far as the order's check needs them: by name, with the names of their outputs."""
    named = {
        name: tuple(parse_output({"name": str(output["name"])}) for output in outputs)
        for name, outputs in presets.items()
    }
    return {DEFAULT_PRESET: (parse_output({}),), **named}


def _folders(arguments: argparse.Namespace) -> tuple[Path, Path]:
    folder, out = arguments.folder, arguments.out
    if not folder.is_dir():
        raise UserMistake(f"{folder} is not a folder.")
    if out.resolve() == folder.resolve():
        raise UserMistake("The results cannot go among the images; choose another folder with --out.")
    return folder, out


@contextlib.contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Hold the folder of results: two runs at once would write one journal. The kernel frees it when a run dies."""
    lock = FileLock(out / LOCK_FILE)
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise UserMistake(f"Another push is running with --out {out}.") from None
    try:
        yield
    finally:
        lock.release()

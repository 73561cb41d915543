"""`quickthumb jobs`: lists, shows, retries, cancels and removes jobs, through the same verbs as the HTTP API."""

import argparse
import asyncio
import json
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from quickthumb.cli.command import Command, UserMistake
from quickthumb.cli.site import opened
from quickthumb.cli.units import age
from quickthumb.config import Config, load
from quickthumb.model.caller import ANONYMOUS
from quickthumb.model.errors import QuickThumbError
from quickthumb.model.job import Job, Status, now
from quickthumb.model.order import TAG_MEANING, is_tag
from quickthumb.model.selection import Selection
from quickthumb.queue.keys import Keys
from quickthumb.queue.watch import JobWatch
from quickthumb.service.bulk import LARGEST_BULK, Verb, for_each
from quickthumb.service.jobs import ImageService
from quickthumb.wiring import image_service, webhook_outbox

Action = Callable[[ImageService, argparse.Namespace], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Change:
    """A verb that changes jobs: how to find it in the service, what it did, and to jobs with which statuses it may be
    applied; None stands for jobs with any status."""

    verb: Callable[[ImageService], Verb]
    done: str
    statuses: tuple[Status | None, ...]


RETRY = Change(lambda service: service.retry, "queued again", (Status.FAILED,))
CANCEL = Change(lambda service: service.cancel, "cancelled", (Status.WAITING, Status.IN_PROGRESS))
PURGE = Change(lambda service: service.remove, "removed", (None,))


def add_options(parser: argparse.ArgumentParser) -> None:
    """One subcommand for each verb."""
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    listing = _add(verbs, "list", "List jobs, newest first.", _list)
    _add_selection(listing)
    listing.add_argument("--limit", type=_number, default=20, metavar="N", help="at most this many jobs (default: 20)")
    showing = _add(verbs, "show", "Show everything that is known about a job.", _show)
    showing.add_argument("ids", nargs=1, metavar="ID")
    for name, help_text, change in (
        ("retry", "Queue FAILED jobs again.", RETRY),
        ("cancel", "Cancel jobs that have not ended.", CANCEL),
        ("purge", "Remove jobs with their records and files.", PURGE),
    ):
        changing = _add(verbs, name, help_text, _change)
        changing.add_argument("ids", nargs="*", metavar="ID", help="the jobs; by default those that the options select")
        _add_selection(changing)
        changing.set_defaults(change=change)


def run(arguments: argparse.Namespace) -> int:
    """Carry out the verb. Raises UserMistake if Redis or the storage cannot be used."""
    return asyncio.run(_run(load(), arguments))


def _add(verbs: Any, name: str, help_text: str, action: Action) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=help_text, description=help_text)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(action=action)
    return parser


def _add_selection(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--status", type=str.upper, choices=list(Status), help="only jobs with this status")
    parser.add_argument("--tag", type=_tag, metavar="TAG", help="only jobs with this tag")
    parser.add_argument(
        "--older-than", type=age, metavar="AGE", help="only jobs accepted longer ago than this: 90s, 10m, 12h or 7d"
    )


def _tag(text: str) -> str:
    if not is_tag(text):
        raise argparse.ArgumentTypeError(f"it must have {TAG_MEANING}")
    return text


def _number(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("it must be a whole number of at least 1")
    return int(text)


async def _run(config: Config, arguments: argparse.Namespace) -> int:
    action: Action = arguments.action
    async with opened(config) as site:
        await site.guard.compare()
        watch = JobWatch(site.redis, Keys(config.redis.prefix))
        try:
            outbox = webhook_outbox(config, site.redis, site.storage)
            return await action(image_service(config, site.redis, site.storage, watch, outbox), arguments)
        finally:
            await watch.close()


async def _list(service: ImageService, arguments: argparse.Namespace) -> int:
    selection = _selection(arguments, arguments.status)
    jobs: list[Job] = []
    cursor = None
    while len(jobs) < arguments.limit:
        left = min(LARGEST_BULK, arguments.limit - len(jobs))
        page = await service.page(ANONYMOUS, selection, limit=left, cursor=cursor)
        jobs += page.jobs
        if page.cursor is None:
            break
        cursor = page.cursor
    if arguments.json:
        print(json.dumps([_plain(job) for job in jobs], ensure_ascii=False))
    else:
        print("\n".join(_line(job) for job in jobs) or "No jobs.")
    return 0


async def _show(service: ImageService, arguments: argparse.Namespace) -> int:
    facts = _plain(await service.find(ANONYMOUS, arguments.ids[0]))
    if arguments.json:
        print(json.dumps(facts, ensure_ascii=False))
        return 0
    for name, fact in facts.items():
        # As JSON, a text from a client cannot move the terminal's cursor.
        print(f"{name:<12} {fact if isinstance(fact, str) and fact.isprintable() else json.dumps(fact)}")
    return 0


async def _change(service: ImageService, arguments: argparse.Namespace) -> int:
    change: Change = arguments.change
    if arguments.ids:
        return await _change_each(service, change, arguments.ids)
    if arguments.status is None and arguments.older_than is None and arguments.tag is None:
        raise UserMistake("Say which jobs: with their ids, --status, --tag or --older-than.")
    count, skipped = 0, Counter[str]()
    for selection in _selections(change, arguments):
        cursor, done = None, False
        while not done:
            report = await for_each(
                service, change.verb(service), ANONYMOUS, selection, limit=LARGEST_BULK, cursor=cursor
            )
            cursor, done = report.cursor, report.cursor is None
            count += report.count
            skipped.update(report.skipped)
    if arguments.json:
        print(json.dumps({"count": count, "skipped": skipped}))
    else:
        left = "".join(f", {number} skipped ({code})" for code, number in skipped.items())
        print(f"{count} jobs {change.done}{left}.")
    return 0


async def _change_each(service: ImageService, change: Change, job_ids: Sequence[str]) -> int:
    """Changes the jobs with these ids. Returns 1 if one could not be changed."""
    exit_code = 0
    for job_id in job_ids:
        try:
            await change.verb(service)(ANONYMOUS, job_id)
        except QuickThumbError as error:
            if not error.permanent:
                raise
            print(f"{ascii(job_id)[1:-1]}: {error.detail}", file=sys.stderr)
            exit_code = 1
        else:
            print(f"{job_id} {change.done}")
    return exit_code


def _selections(change: Change, arguments: argparse.Namespace) -> list[Selection]:
    if arguments.status is None:
        return [_selection(arguments, status) for status in change.statuses]
    if change.statuses != (None,) and arguments.status not in change.statuses:
        allowed = " or ".join(str(status) for status in change.statuses)
        raise UserMistake(f"Only jobs with the status {allowed} can be {change.done}.")
    return [_selection(arguments, arguments.status)]


def _selection(arguments: argparse.Namespace, status: str | None) -> Selection:
    before = None if arguments.older_than is None else now() - arguments.older_than
    return Selection(None if status is None else Status(status), before, arguments.tag)


def _plain(job: Job) -> dict[str, Any]:
    return job.model_dump(mode="json")


def _line(job: Job) -> str:
    name = job.source.filename or "-"
    name = name if name.isprintable() else ascii(name)[1:-1]
    error = f"  {job.error.code}: {job.error.detail}" if job.error else ""
    return f"{job.id}  {job.status:<11}  {job.created_at:%Y-%m-%d %H:%M:%S}Z  {name}{error}"


COMMAND = Command(add_options, run)

"""`quickthumb rerender`: makes the results of a preset anew, after the preset has changed, from the sources that are
kept.

No result ever changes under its URL, since caches may hold it. So each job gets a successor, a new job that shares its
source, and the command prints which is whose. Successors have a low priority, and only so many wait at a time that
uploads are not kept out.
"""

import argparse
import asyncio
import hashlib
import json
import os
import signal
import sys
from collections import Counter, deque
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self

from quickthumb.cli.command import Command, UserMistake
from quickthumb.cli.site import opened
from quickthumb.cli.units import age, count
from quickthumb.config import Config, load
from quickthumb.model.caller import DEFAULT_TENANT, Caller
from quickthumb.model.errors import QuickThumbError
from quickthumb.model.job import Job, Status, is_id, now
from quickthumb.model.order import written_output
from quickthumb.model.selection import Selection
from quickthumb.queue.keys import Keys
from quickthumb.queue.watch import JobWatch
from quickthumb.service.derive import Derivation
from quickthumb.service.errors import UnknownJob
from quickthumb.service.jobs import ImageService
from quickthumb.wiring import image_service, webhook_outbox

PAGE = 100
AT_ONCE = 100
# What a successor has of its predecessor, apart from the image.
INHERITED = ("tag", "context", "keep")
WAIT_SECONDS = 30.0
# Tags and contexts of clients may be private.
PRIVATE = 0o600


def add_options(parser: argparse.ArgumentParser) -> None:
    """The preset, the jobs, and where to note them."""
    parser.add_argument("--preset", required=True, metavar="NAME", help="the preset that has changed")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--all", action="store_true", help="all DONE jobs that have results of the preset's names")
    which.add_argument("--since", type=age, metavar="AGE", help="only those accepted since: 90s, 10m, 12h or 7d ago")
    which.add_argument("--tag", metavar="TAG", help="only those with this tag")
    parser.add_argument("--tenant", default=DEFAULT_TENANT, metavar="NAME", help="whose jobs (default: default)")
    parser.add_argument(
        "--journal", type=Path, required=True, metavar="FILE", help="where to note what was done, to go on from there"
    )
    parser.add_argument(
        "--at-once", type=count, default=AT_ONCE, metavar="N", help=f"have at most this many wait (default: {AT_ONCE})"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command. Raises UserMistake if the preset, the journal, Redis or the storage cannot be used."""
    try:
        with Journal(arguments.journal) as journal:
            return asyncio.run(_run(load(), arguments, journal))
    except OSError as error:
        raise UserMistake(f"Cannot use {arguments.journal}: {error.strerror or error}.") from error
    except KeyboardInterrupt:
        print("Stopped. Run the same command again to go on.", file=sys.stderr)
        return 128 + signal.SIGINT


class Journal:
    """The successors so far, by their predecessors: one JSON object per line, which one write appends."""

    def __init__(self, path: Path) -> None:
        """Reads the file if it exists. Raises OSError."""
        self.successors: dict[str, str] = {}
        written = path.read_bytes() if path.exists() else b""
        for line in written.splitlines():
            self._take(line)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, PRIVATE)
        if written and not written.endswith(b"\n"):
            os.write(self._file, b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._file)

    def note(self, job_id: str, successor_id: str) -> str:
        """Notes a successor; returns the line. Raises OSError."""
        self.successors[job_id] = successor_id
        line = json.dumps({"from": job_id, "to": successor_id})
        os.write(self._file, line.encode() + b"\n")
        return line

    def _take(self, line: bytes) -> None:
        try:
            said = json.loads(line)
            if is_id(said["from"]) and is_id(said["to"]):
                self.successors[said["from"]] = said["to"]
        except (ValueError, TypeError, KeyError):
            return  # cut by a crash: the idempotency key finds what it told


async def _run(config: Config, arguments: argparse.Namespace, journal: Journal) -> int:
    async with opened(config) as site:
        await site.guard.compare()
        watch = JobWatch(site.redis, Keys(config.redis.prefix))
        try:
            outbox = webhook_outbox(config, site.redis, site.storage)
            service = image_service(config, site.redis, site.storage, watch, outbox)
            return await _Rerendering(service, arguments, journal).run()
        finally:
            await watch.close()


class _Rerendering:
    """One run of the command."""

    def __init__(self, service: ImageService, arguments: argparse.Namespace, journal: Journal) -> None:
        self._service = service
        self._journal = journal
        self._caller = Caller(tenant=arguments.tenant)
        self._preset, self._tag, self._at_once = arguments.preset, arguments.tag, arguments.at_once
        self._since = None if arguments.since is None else now() - arguments.since
        self._waiting: deque[str] = deque()
        presets = service.presets(self._caller)
        if self._preset not in presets:
            raise UserMistake(f"There is no such preset; the presets are {', '.join(presets)}.")
        self._outputs = {output.name: written_output(output) for output in presets[self._preset]}
        told = json.dumps(list(self._outputs.values()), sort_keys=True)
        self._digest = hashlib.sha256(told.encode()).hexdigest()[:32]

    async def run(self) -> int:
        """Makes the successors, and waits for them. Returns 1 if some job got none."""
        made, skipped = 0, Counter[str]()
        async for job in self._jobs():
            try:
                successor = await self._derive(job)
            except QuickThumbError as error:
                if not error.permanent:
                    raise
                skipped[error.code] += 1
                continue
            made += 1
            print(self._journal.note(job.id, successor.id), flush=True)
        while self._waiting:
            await self._wait()
        left = "".join(f", {number} skipped ({code})" for code, number in skipped.items())
        print(f"{made} jobs made anew{left}.", file=sys.stderr)
        return 1 if skipped else 0

    async def _jobs(self) -> AsyncIterator[Job]:
        """The DONE jobs that are to get a successor, newest first."""
        cursor = None
        while True:
            page = await self._service.page(self._caller, Selection(Status.DONE), limit=PAGE, cursor=cursor)
            for job in page.jobs:
                if self._since is not None and job.created_at < self._since:
                    return
                if self._concerns(job):
                    yield job
            if page.cursor is None:
                return
            cursor = page.cursor

    def _concerns(self, job: Job) -> bool:
        """Whether the job has results of the preset's names, which are not as the preset is now, and no successor."""
        if job.id in self._journal.successors or (self._tag is not None and self._tag not in job.order.get("tag", ())):
            return False
        made = {output["name"]: output for output in job.outputs}
        return self._outputs.keys() <= made.keys() and any(made[name] != now for name, now in self._outputs.items())

    async def _derive(self, job: Job) -> Job:
        while len(self._waiting) >= self._at_once:
            await self._wait()
        order: dict[str, Any] = {name: job.order[name] for name in INHERITED if name in job.order}
        fields = (("preset", self._preset), ("priority", "low"), *order.items())
        # If this process dies before it has noted the successor, the next run gets the same one.
        key = f"rerender {self._preset} {self._digest} {job.id}"
        successor = await self._service.derive(self._caller, Derivation(job.id, fields, key))
        self._waiting.append(successor.id)
        return successor

    async def _wait(self) -> None:
        """Waits until the oldest of the successors has ended."""
        try:
            job = await self._service.wait(self._caller, self._waiting[0], WAIT_SECONDS)
        except UnknownJob:
            self._waiting.popleft()
        else:
            if job.status.ended:
                self._waiting.popleft()


COMMAND = Command(add_options, run)

"""Measures QuickThumb beside what a team would run instead, on this machine.

    make bench                                                      everything: about 25 minutes
    make bench ARGS=--quick                                         the main figures: under three minutes
    make bench ARGS="--only saturated --stacks quickthumb,celery --photo street --rounds 3"

Stacks are measured in turn, round after round, so that any other load on the machine slows all alike. What counts are
the ratios within a round. The first run installs the peers into environments of their own under build/bench.
"""

import argparse
import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import results
from benchmarks.environments import BUILD, NotInstalled
from benchmarks.load import LoadFailed, generator
from benchmarks.measures import MEASURES
from benchmarks.measures.bench import Bench, Measure
from benchmarks.photos import CORPUS, photos
from benchmarks.processes import NotStarted
from benchmarks.report import publish, save
from benchmarks.stacks import RunningStack, Stack, known_stacks, running

PHOTOS = ("street", "flowers", "phone")
QUICK_MEASURES = ("saturated", "idle")
QUICK_STACKS = ("quickthumb", "celery", "rq-simple")
QUICK_SCALE = 0.3


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    found = argparse.ArgumentParser("make bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    found.add_argument("--quick", action="store_true", help="short runs of the main figures")
    listed = "".join(f"\n  {measure.name:<11} {measure.title}" for measure in MEASURES)
    found.add_argument("--only", type=words, help=f"measures, comma-separated:{listed}")
    names = ", ".join(stack.name for stack in known_stacks())
    found.add_argument("--stacks", type=words, help=f"stacks, comma-separated: {names}")
    found.add_argument("--photo", type=words, help=f"photos, comma-separated: {', '.join(PHOTOS)}")
    found.add_argument(
        "--photos", type=Path, default=CORPUS, metavar="FOLDER", help="where the photos are; default: %(default)s"
    )
    found.add_argument("--rounds", type=int, help="rounds; default: 5, or 3 with --quick")
    found.add_argument("--scale", type=float, help="length of the runs; default: 1, or 0.3 with --quick")
    found.add_argument(
        "--before",
        type=Path,
        metavar="FOLDER",
        help="another checkout of QuickThumb with its own .venv, as the stack `before`",
    )
    found.add_argument(
        "--out", type=Path, metavar="FILE", help="where the results go; default: benchmarks/results/TIME.json"
    )
    found.add_argument(
        "--publish", type=Path, metavar="FILE", help="measure nothing; put the report of these results into docs/"
    )
    return found


def words(text: str) -> list[str]:
    """An option's value as a list."""
    return [word for word in text.split(",") if word]


def chosen(asked: Sequence[str] | None, known: Sequence[str], default: Sequence[str]) -> list[str]:
    """What was asked for, in the known order. Exits if something is unknown."""
    unknown = set(asked or ()) - set(known)
    if unknown:
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    return [name for name in known if name in (asked or default)]


def started(stacks: Sequence[Stack], everything: contextlib.ExitStack, skipped: dict[str, str]) -> list[RunningStack]:
    """Starts the stacks, which stop with `everything`. Those that cannot be installed or started are left out; says
    why."""
    found = []
    for stack in stacks:
        try:
            found.append(everything.enter_context(running(stack)))
        except (NotInstalled, NotStarted) as error:
            skipped[stack.name] = str(error).strip().splitlines()[-1]
            print(f"left out: {stack.name}: {skipped[stack.name]}", flush=True)
    return found


def main() -> None:
    arguments = parser().parse_args()
    if arguments.publish:
        publish(arguments.publish)
    else:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        sys.exit(measured(arguments))


def measured(arguments: argparse.Namespace) -> int:
    """Takes the measures that were asked for, and writes and prints the report; returns the exit code.

    After Ctrl-C or SIGTERM, the report has what was measured until then.
    """
    names = [measure.name for measure in MEASURES]
    only = chosen(arguments.only, names, QUICK_MEASURES if arguments.quick else names)
    rounds = arguments.rounds or (3 if arguments.quick else 5)
    scale = arguments.scale or (QUICK_SCALE if arguments.quick else 1.0)
    known = photos(arguments.photos)
    options = {
        "rounds": rounds,
        "scale": scale,
        "photos": {name: known[name].path.stat().st_size for name in PHOTOS},
        "drawn": [name for name in PHOTOS if "drawn" in known[name].path.name],
    }
    run = results.started(options)
    place = arguments.out or (BUILD if arguments.quick else results.FOLDER) / f"{run.began.replace(':', '')[:17]}.json"
    began, code = time.monotonic(), 0

    def tell(text: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {text}", flush=True)

    with generator() as load:
        try:
            taken = chosen(arguments.photo, PHOTOS, PHOTOS)
            bench = Bench([], known, taken, rounds, scale, load, tell)
            measures = [measure for measure in MEASURES if measure.name in only]
            with contextlib.ExitStack() as everything:
                if any(measure.compares for measure in measures):
                    stacks = started(stacks_asked_for(arguments), everything, run.skipped)
                    take([measure for measure in measures if measure.compares], replace(bench, stacks=stacks), run)
            take([measure for measure in measures if not measure.compares], bench, run)
        except KeyboardInterrupt:
            code = 130
        finally:
            text = save(run, place)
    print(f"\n{text}\n{place}")
    return code


def stacks_asked_for(arguments: argparse.Namespace) -> list[Stack]:
    """The stacks to compare."""
    known = {stack.name: stack for stack in known_stacks(arguments.before)}
    asked = [*arguments.stacks, *(["before"] if arguments.before else [])] if arguments.stacks else None
    default = [*QUICK_STACKS, "before"] if arguments.quick else list(known)
    return [known[name] for name in chosen(asked, list(known), default)]


def take(measures: Sequence[Measure], bench: Bench, run: results.Results) -> None:
    """Takes measures in turn. If one breaks off, notes why and keeps what it has."""
    for measure in measures:
        bench.tell(measure.title)
        records = run.records.setdefault(measure.name, [])
        try:
            for record in measure.take(bench):
                records.append(record)
        except (LoadFailed, NotStarted, RuntimeError, OSError, subprocess.CalledProcessError) as error:
            run.skipped[measure.name] = f"broke off: {error}".splitlines()[0]
            bench.tell(f"{measure.name} {run.skipped[measure.name]}")


if __name__ == "__main__":
    main()

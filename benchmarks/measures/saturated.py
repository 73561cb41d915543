"""The rate of images, the CPU time per image and the times of uploads while eight uploaders keep a stack busy; and the
image work alone, in the same rounds: a loop of Pillow and of the engine in as many processes as there are cores."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import partial

from benchmarks.figures import percentile
from benchmarks.load import CHECKOUT
from benchmarks.measures.bench import Bench, Measure, Record, cpu_between, in_turn, load_of, settle
from benchmarks.photos import Photo
from benchmarks.processes import CORES, cpu_seconds, machine_cpu_seconds
from benchmarks.stacks import FIVE_SIZES, RunningStack

# So many images take a good stack a few seconds; a slow one is stopped after LONGEST_SECONDS.
IMAGES = {"street": 400, "flowers": 1000, "phone": 120}
IMAGES_OF_FIVE = {"street": 80, "flowers": 200, "phone": 30}
LONGEST_SECONDS = 6.0
WARM_UP = 24
BARE = ("pillow", "engine")


def take(bench: Bench, sizes: Sequence[int], images: dict[str, int], left_out: Sequence[str] = ()) -> Iterator[Record]:
    """All stacks run at the same time, but only one is given work at a time."""
    stacks = [running for running in bench.stacks if running.stack.name not in left_out]
    for name in bench.chosen:
        photo = bench.photos[name]
        for stack in stacks:
            bench.generator.run(load_of(stack, photo, WARM_UP, sizes))
        for turn in range(bench.rounds):
            for stack in in_turn(stacks, turn):
                yield {"round": turn, "outputs": len(sizes), **busy(bench, stack, photo, sizes, images[name])}
                settle(stack)
            for way in BARE:
                yield {"round": turn, "outputs": len(sizes), **bare(bench, way, photo, sizes, images[name])}


def busy(bench: Bench, stack: RunningStack, photo: Photo, sizes: Sequence[int], images: int) -> Record:
    """One run of a stack."""
    number = bench.images(images)
    bench.tell(f"{stack.stack.name}, {photo.name}, {len(sizes)} output(s): {number} images")
    everything, before = machine_cpu_seconds(), cpu_seconds(stack.servers)
    load = load_of(stack, photo, number, sizes, longest_seconds=max(2.0, LONGEST_SECONDS * bench.scale))
    measured = bench.generator.run(load)
    number = len(measured.upload_seconds)
    cpu = cpu_between(stack, before, number)
    total = sum(cpu.values())
    rate = number / measured.seconds
    busy_cores = (total / 1e3 + measured.generator_cpu_seconds / number) * rate
    all_cores = (machine_cpu_seconds() - everything) / measured.seconds
    return {
        "stack": stack.stack.name,
        "photo": photo.name,
        "images": number,
        "images_per_second": round(rate, 2),
        "cpu_ms": cpu,
        "cpu_ms_total": round(total, 3),
        "upload_p50_ms": round(percentile(measured.upload_seconds, 50) * 1e3, 2),
        "upload_p99_ms": round(percentile(measured.upload_seconds, 99) * 1e3, 2),
        "done_p50_ms": round(percentile(measured.done_seconds, 50) * 1e3, 2),
        "polls_per_image": round(measured.polls / number, 2),
        "generator_ms": round(measured.generator_cpu_seconds / number * 1e3, 3),
        "busy_cores": round(busy_cores, 2),
        "others_cores": round(max(0.0, all_cores - busy_cores), 2),
    }


def bare(bench: Bench, way: str, photo: Photo, sizes: Sequence[int], images: int) -> Record:
    """Runs a loop in as many processes as there are cores, since the stacks, too, keep all cores busy."""
    number = max(6, bench.images(images) // 8)
    bench.tell(f"{way}, {photo.name}, {len(sizes)} output(s)")
    words = [sys.executable, "-m", "benchmarks.bare", way, str(photo.path), str(number), *map(str, sizes)]
    loops = [subprocess.Popen(words, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) for _ in range(CORES)]
    spent = [json.loads(loop.communicate()[0]) for loop in loops]
    cpu = sum(one["cpu_seconds"] for one in spent) / CORES / number * 1e3
    rate = sum(number / one["seconds"] for one in spent)
    return {
        "stack": way,
        "photo": photo.name,
        "images": number * CORES,
        "images_per_second": round(rate, 2),
        "cpu_ms_total": round(cpu, 3),
    }


MEASURE = Measure(
    "saturated",
    "Images per second, CPU per image, upload times",
    partial(take, sizes=(128,), images=IMAGES),
    compares=True,
)
# Those two are slow for reasons that the number of outputs does not change.
FIVE = Measure(
    "five",
    "The same with five outputs per image",
    partial(take, sizes=FIVE_SIZES, images=IMAGES_OF_FIVE, left_out=("rq", "arq")),
    compares=True,
)

"""Image work alone, without uploads and queues: Pillow in a loop, QuickThumb's engine, thumbor and sharp."""

import contextlib
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from benchmarks.environments import PEERS, NotInstalled, node_packages, python_environment
from benchmarks.load import Load
from benchmarks.measures.bench import Bench, Measure, Record
from benchmarks.measures.saturated import BARE, bare
from benchmarks.photos import Photo
from benchmarks.processes import CORES, NotStarted, Server, cpu_seconds, free_port, listens, start, wait_until
from benchmarks.sides import Sharp, Task
from benchmarks.stacks import stop, work_folder

IMAGES = {"street": 120, "flowers": 400, "phone": 60}
ROUNDS = 3
Way = Callable[[Bench, Photo], Record]


def take(bench: Bench) -> Iterator[Record]:
    """All ways in turn. thumbor and sharp are left out where they cannot be installed."""
    with contextlib.ExitStack() as everything:
        ways: list[Way] = [partial(_loop, way) for way in BARE]
        for begin in (_thumbor, _sharp):
            try:
                ways.append(everything.enter_context(begin(bench)))
            except (NotInstalled, NotStarted, OSError) as error:
                bench.tell(f"left out: {error}")
        for name in bench.chosen:
            for turn in range(min(ROUNDS, bench.rounds)):
                for way in ways:
                    yield {"photo": name, "round": turn, **way(bench, bench.photos[name])}


def _loop(way: str, bench: Bench, photo: Photo) -> Record:
    return bare(bench, way, photo, (128,), IMAGES[photo.name])


@contextlib.contextmanager
def _thumbor(bench: Bench) -> Iterator[Way]:
    """thumbor with a process per core; the photos are in its folder. Raises NotInstalled or NotStarted."""
    programs = python_environment("thumbor")
    with work_folder("thumbor") as folder:
        for photo in bench.photos.values():
            shutil.copyfile(photo.path, folder / f"{photo.name}.jpg")
        port = free_port()
        configuration = str(PEERS / "thumbor" / "thumbor.conf")
        words = ["--ip", "127.0.0.1", "--port", str(port), "--processes", str(CORES), "--conf", configuration]
        server = start([str(programs / "thumbor"), *words], "worker", folder)
        try:
            wait_until(lambda: listens(port), server)
            yield partial(_ask_thumbor, server, port)
        finally:
            stop([server])


def _ask_thumbor(server: Server, port: int, bench: Bench, photo: Photo) -> Record:
    number = bench.images(IMAGES[photo.name])
    bench.tell(f"thumbor, {photo.name}: {number} images")
    load = Load(port, "", number, path=f"/unsafe/fit-in/128x128/{photo.name}.jpg")
    bench.generator.run(Load(port, "", 8, path=load.path))
    before = cpu_seconds([server])["worker"]
    measured = bench.generator.run(load)
    spent = cpu_seconds([server])["worker"] - before
    return {
        "stack": "thumbor",
        "images": number,
        "images_per_second": round(number / measured.seconds, 2),
        "cpu_ms_total": round(spent / number * 1e3, 3),
    }


@contextlib.contextmanager
def _sharp(bench: Bench) -> Iterator[Way]:
    """sharp with one thread in one process of Node. Raises NotInstalled."""
    node_packages()
    with Sharp() as sharp, work_folder("sharp") as folder:
        yield partial(_run_sharp, sharp, folder)


def _run_sharp(sharp: Sharp, folder: Path, bench: Bench, photo: Photo) -> Record:
    number = max(8, bench.images(IMAGES[photo.name]) // 4)
    bench.tell(f"sharp, {photo.name}: {number} images")
    task = Task("128 px", photo.path, (128,), "jpeg")
    sharp.run(task, folder)
    spent = [sharp.run(task, folder) for _ in range(number)]
    return {
        "stack": "sharp",
        "images": number,
        "images_per_second": round(number / sum(one.wall_seconds for one in spent), 2),
        "cpu_ms_total": round(sum(one.cpu_seconds for one in spent) / number * 1e3, 3),
    }


MEASURE = Measure("work", "Image work alone: Pillow, the engine, thumbor, sharp", take)

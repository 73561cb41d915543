"""The memory of the web process and the worker while they make many images: does it keep growing?"""

from collections.abc import Iterator

from benchmarks.measures.bench import Bench, Measure, Record, load_of
from benchmarks.processes import memory_bytes
from benchmarks.stacks import quickthumb, running

IMAGES = 10_000
STEPS = 20
MIXED = ("street", "flowers")


def take(bench: Bench) -> Iterator[Record]:
    """QuickThumb alone, with two photos in turn."""
    stack = quickthumb("quickthumb", "QuickThumb")
    total = bench.images(IMAGES)
    with running(stack) as service:
        made = 0
        for step in range(STEPS):
            photo = bench.photos[MIXED[step % len(MIXED)]]
            number = total // STEPS
            bench.generator.run(load_of(service, photo, number, (128,)))
            made += number
            held = memory_bytes(service.servers)
            bench.tell(f"{made} images: " + ", ".join(f"{role} {size / 1e6:.1f} MB" for role, size in held.items()))
            yield {
                "stack": stack.name,
                "images": made,
                "share": (step + 1) / STEPS,
                "memory_mb": {role: round(size / 1e6, 2) for role, size in held.items()},
            }


MEASURE = Measure("memory", "Memory while it makes 10,000 images", take)

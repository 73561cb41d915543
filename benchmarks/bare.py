"""Image work alone, without any service: a loop in a process of its own that tells its CPU time per image.

    python -m benchmarks.bare pillow|engine PHOTO IMAGES SIZE ...

`pillow` opens, makes thumbnails and saves them, as the jobs of the peers do. `engine` is QuickThumb's engine as the
worker calls it, with all outputs in one call.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image

WARM_UP = 3


def pillow(photo: Path, sizes: Sequence[int], folder: Path) -> None:
    with Image.open(photo) as image:
        for size in sizes:
            thumbnail = image.copy() if len(sizes) > 1 else image
            thumbnail.thumbnail((size, size))
            thumbnail.save(folder / f"{size}.jpg")


def engine(photo: Path, sizes: Sequence[int], folder: Path) -> None:
    # Only here: importing them takes longer than a whole loop of Pillow.
    from quickthumb.imaging.engine import render
    from quickthumb.model.limits import Limits
    from quickthumb.model.output import Output

    render(photo, [Output(name=f"w{size}", width=size, height=size) for size in sizes], folder, Limits())


WAYS: dict[str, Callable[[Path, Sequence[int], Path], None]] = {"pillow": pillow, "engine": engine}


def main() -> None:
    way, photo, images, sizes = WAYS[sys.argv[1]], Path(sys.argv[2]), int(sys.argv[3]), [int(a) for a in sys.argv[4:]]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for _ in range(WARM_UP):
            way(photo, sizes, folder)
        cpu, began = time.process_time(), time.perf_counter()
        for _ in range(images):
            way(photo, sizes, folder)
        spent = {"cpu_seconds": time.process_time() - cpu, "seconds": time.perf_counter() - began}
    print(json.dumps(spent))


if __name__ == "__main__":
    main()

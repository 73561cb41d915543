"""What costs time out of proportion is refused, or takes no more than a few plain pictures of two megapixels.

Times are CPU seconds of a child process, against those of a plain PNG in the same process: a ratio, which is the same
on a busy machine and on a slow one.
"""

import json
import random
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.conftest import Scale
from tests.chaos.costly import COSTLY
from tests.chaos.report import Report
from tests.imaging.costly_files import HEIGHT, WIDTH, saved

# Of each kind, in a short and a long run.
SEVERAL = {True: 30, False: 3}
PLAIN_MEGAPIXELS = WIDTH * HEIGHT / 1e6
# For each two megapixels of its own, and for those that it lacks, a picture may take so many times as long as the PNG.
# The worst of those that are accepted takes 9 times as long.
MOST_TIMES = 20
REFUSED = {"too_many_parts", "too_many_pixels", "too_many_frames", "broken_image", "unsupported_image"}
# Renders files and tells for each: the CPU seconds, its pixels in all frames, and the error if there is one.
CHILD = """
import json, resource, sys, tempfile, warnings
from pathlib import Path
from quickthumb.imaging.engine import render
from quickthumb.imaging.memory import estimate_file_bytes
from quickthumb.model.errors import QuickThumbError
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output
from PIL import Image
warnings.simplefilter("ignore")

def spent():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime

def look(path):
    before, code, pixels = spent(), "", 0
    try:
        estimate_file_bytes(path, [Output(width=128)], Limits())
        made = render(path, [Output(width=128)], Path(folder), Limits())
        pixels = made.facts.width * made.facts.height * max(one.frames for one in made.made)
    except QuickThumbError as error:
        code = error.code
    return {"seconds": spent() - before, "pixels": pixels, "code": code}

with tempfile.TemporaryDirectory() as folder:
    looks = [look(Path(path)) for path in sys.argv[1:]]
print(json.dumps(looks))
"""


def look(folder: Path, pictures: Mapping[str, bytes]) -> list[dict[str, Any]]:
    """What a child process tells of each picture, rendered one after the other."""
    paths = [folder / name.replace(" ", "-") for name in pictures]
    for path, data in zip(paths, pictures.values(), strict=True):
        path.write_bytes(data)
    command = [sys.executable, "-c", CHILD, *map(str, paths)]
    looks: list[dict[str, Any]] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return looks


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ["jpeg", "png", "gif", "tiff", "bmp", "ico", "webp", "avif", "heif"])
def test_time_is_in_proportion(tmp_path: Path, kind: str, chance: random.Random, report: Report, scale: Scale) -> None:
    makes = {name: make for name, make in COSTLY.items() if name.startswith(kind)}
    pictures = {
        f"{name} {number}": make(chance) for name, make in makes.items() for number in range(SEVERAL[scale.long])
    }
    plain = {f"plain {number}": saved("PNG") for number in range(4)}
    looks = look(tmp_path, plain | pictures)
    usual = min(one["seconds"] for one in looks[1 : len(plain)])
    accepted = 0
    for name, one in zip(pictures, looks[len(plain) :], strict=True):
        times = one["seconds"] / usual / max(1, one["pixels"] / 1e6 / PLAIN_MEGAPIXELS)
        print(f"{name}: {one['code'] or 'accepted'}, {one['seconds']:.3f} s, {times:.1f} × plain")  # noqa: T201
        assert not one["code"] or one["code"] in REFUSED, name
        assert times < MOST_TIMES, f"{name}, seed {report.seed}: {one['seconds']:.2f} s, {times:.0f} × a plain PNG"
        accepted += not one["code"]
    assert accepted, "nothing was accepted, so nothing was measured"

"""How much memory a rendering takes: the growth of the peak of a process of its own."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

# The peak of the process itself: getrusage would count what its parent had taken when it forked.
needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
MEBIBYTE = 1024 * 1024
# What the codecs take for any picture, however small.
CODECS_BYTES = 24 * MEBIBYTE
# Renders a picture of one pixel for the imports' sake, then reports by how many bytes the peak grew with the file in
# question.
_CHILD = """
import json, sys
from pathlib import Path
from PIL import Image
from quickthumb.imaging.engine import render
from quickthumb.model.errors import QuickThumbError
from quickthumb.model.limits import Limits
from quickthumb.model.output import parse_output
source, folder, orders = Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
limits = Limits(max_pixels=300_000_000)
def peak():
    (line,) = (line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024
Image.new("RGB", (1, 1)).save(folder / "one.png")
sized = {"crop", "width", "height", "size", "fit", "enlarge", "position"}
small = [{key: order[key] for key in order.keys() - sized} for order in orders]
render(folder / "one.png", [parse_output(order) for order in small], folder, limits)
idle = peak()
render(source, [parse_output(order) for order in orders], folder, limits)
print(peak() - idle)
"""


def peak_bytes(source: Path, folder: Path, orders: Sequence[Mapping[str, Any]]) -> int:
    """By how much the peak grows while `source` is rendered with those outputs, as parameters, into `folder`."""
    command = [sys.executable, "-c", _CHILD, str(source), str(folder), json.dumps(list(orders))]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)

"""What a sandbox process cannot do once it looks at an upload, even if an image has taken it over."""

import errno
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from quickthumb.imaging.engine import render
from quickthumb.imaging.formats import FORMATS
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output
from quickthumb.sandbox import landlock, limits, syscalls
from quickthumb.sandbox.errors import DecoderCrashed
from quickthumb.sandbox.process import SandboxProcess
from tests.conftest import CHECKOUT, picture
from tests.imaging.color_files import cicp, png
from tests.imaging.iso_files import COLOR, alpha_of, grid, hevc, iso_file

LIMITS = Limits(max_pixels=1_000_000)
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can enclose a process")
needs_landlock = pytest.mark.skipif(landlock.version() == 0, reason="this kernel has no Landlock")
needs_filter = pytest.mark.skipif(not syscalls.is_available(), reason="this system cannot filter system calls")

# Tries each piece of code in a process of its own, enclosed or not, and tells how that ended.
TRIES = """
import ctypes, json, os, signal, socket, subprocess, sys
from pathlib import Path
from quickthumb.sandbox.limits import enclose
source, folder, other = map(Path, sys.argv[1:4])
parent, libc, ends = os.getpid(), ctypes.CDLL(None), {}

def tried(code):
    try:
        if sys.argv[4] == "enclosed":
            enclose(source, folder)
        exec(code)
    except OSError as error:
        return error.errno
    except BaseException as error:
        print(repr(error), file=sys.stderr)
        return 255
    return 0

for what, code in json.load(sys.stdin).items():
    child = os.fork()
    if child == 0:
        os._exit(tried(code))
    ends[what] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(json.dumps(ends))
"""
DONE, REFUSED = 0, errno.EACCES


@dataclass(frozen=True)
class Trial:
    """How each attempt ended: with DONE, with the number of an error, or minus the number of a signal."""

    ends: dict[str, int]
    other: Path


def trial(folder: Path, where: str) -> Trial:
    """All attempts, by a process with a source, the folder for its results, and another job's folder beside."""
    source, making, other = folder / "source", folder / "making", folder / "other"
    making.mkdir()
    other.mkdir()
    source.write_bytes(picture())
    (other / "source").write_bytes(b"private")
    words = [sys.executable, "-c", TRIES, *map(str, (source, making, other)), where]
    ended = subprocess.run(
        words,
        input=json.dumps({**ALLOWED, **CLOSED_FILES, **DEADLY}),
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return Trial(json.loads(ended.stdout), other)


@pytest.fixture(scope="module")
def enclosed(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return trial(tmp_path_factory.mktemp("enclosed"), "enclosed")


@pytest.fixture(scope="module")
def free(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return trial(tmp_path_factory.mktemp("free"), "free")


ALLOWED = {
    "its source": "source.read_bytes()",
    "its folder": "(folder / 'a.jpg').write_bytes(b'x'); (folder / 'a.jpg').read_bytes(); (folder / 'a.jpg').unlink()",
    "more of Python": "import sqlite3, xml.etree.ElementTree",
    "plugins of Pillow": "from PIL import Image; Image.init(); assert 'WEBP' in Image.OPEN",
    "a thread": "import threading; t = threading.Thread(target=int); t.start(); t.join()",
    "limits of its own": "import resource; resource.getrlimit(resource.RLIMIT_DATA)",
    "memory": "os.close(os.memfd_create('a'))",
}
CLOSED_FILES = {
    "another job's source": "(other / 'source').read_bytes()",
    "another job's folder": "list(other.iterdir())",
    "a file beside": "(other / 'new').write_bytes(b'x')",
    "a file of the system": "Path('/etc/passwd').read_bytes()",
    "the variables of the worker": "Path(f'/proc/{parent}/environ').read_bytes()",
    "the memory of the worker": "Path(f'/proc/{parent}/mem').open('rb')",
    "the settings": f"Path({str(CHECKOUT / 'settings.py')!r}).read_bytes()",
    "a special file": "os.mkfifo(folder / 'fifo')",
}
DEADLY = {
    "a connection": "socket.socket()",
    "a Unix socket": "socket.socket(socket.AF_UNIX)",
    "a program": "os.execv('/bin/true', ['true'])",
    "a process": "os.fork()",
    "a program of its own": "subprocess.run(['/bin/true'])",
    "a debugger": "libc.ptrace(0, 0, 0, 0)",
    "a look into the worker": "libc.process_vm_readv(parent, None, 0, None, 0, 0)",
    "a signal to the worker": "os.kill(parent, 0)",
    "a signal to all": "os.kill(-1, 0)",
    "limits of the worker": "import resource; resource.prlimit(parent, resource.RLIMIT_NOFILE)",
    "a folder for everybody": "os.chmod(other, 0o777)",
    "a file for everybody": "os.fchmod(os.open(source, os.O_RDONLY), 0o777)",
    "an owner": "os.chown(source, 0, 0)",
    "a queue of requests to the kernel": "libc.syscall(425, 1, 0)",
}


@linux_only
@pytest.mark.parametrize("what", ALLOWED)
def test_what_images_need_still_works(enclosed: Trial, what: str) -> None:
    assert enclosed.ends[what] == DONE


@needs_landlock
@pytest.mark.parametrize("what", CLOSED_FILES)
def test_other_files_are_out_of_reach(enclosed: Trial, what: str) -> None:
    assert enclosed.ends[what] == REFUSED


@needs_filter
@pytest.mark.parametrize("what", DEADLY)
def test_connections_and_other_processes_are_out_of_reach(enclosed: Trial, what: str) -> None:
    assert enclosed.ends[what] == -signal.SIGSYS
    assert (enclosed.other.stat().st_mode & 0o777) != 0o777


@linux_only
@pytest.mark.parametrize("what", [*CLOSED_FILES, *DEADLY])
def test_without_the_enclosure_nothing_stops_these(free: Trial, what: str) -> None:
    """So that the tests above cannot pass for another reason."""
    assert free.ends[what] not in (REFUSED, -signal.SIGSYS, 255)


def test_a_system_without_either_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(landlock, "version", lambda: 0)
    monkeypatch.setattr(syscalls, "is_available", lambda: False)
    limits.enclose(tmp_path / "source", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_system_that_refuses_both_is_told_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: object) -> None:
        raise OSError(22, "Invalid argument")

    monkeypatch.setattr(landlock, "restrict", refused)
    monkeypatch.setattr(syscalls, "refuse", refused)
    limits.enclose(tmp_path / "source", tmp_path)
    assert capsys.readouterr().err.count("could not give up all of its rights") == 2


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A source, the folder for its results, and another one."""
    (tmp_path / "making").mkdir()
    (tmp_path / "other").mkdir()
    return tmp_path / "source", tmp_path / "making", tmp_path / "other"


@needs_filter
def test_an_image_that_takes_its_process_over_fails_its_job(
    places: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, folder, _ = places
    monkeypatch.syspath_prepend(str(CHECKOUT / "tests" / "faults"))
    source.write_bytes(picture(13, 18))  # whose decoder starts a program
    with pytest.raises(DecoderCrashed) as crash:
        SandboxProcess(30, 512 * 1024 * 1024).render(source, [Output(name="a", width=8)], folder, LIMITS)
    assert crash.value.detail == f"The decoder crashed (signal {int(signal.SIGSYS)})."


@pytest.mark.parametrize("kind", [row.name for row in FORMATS])
def test_images_of_every_format_are_rendered_as_outside(places: tuple[Path, Path, Path], kind: str) -> None:
    source, folder, other = places
    if kind == "heif":
        source.write_bytes(iso_file([grid(2, 2, (180, 120)), *[hevc(COLOR)] * 4, alpha_of(1)]))
    elif kind == "jxl":
        pylibjxl = pytest.importorskip("pylibjxl", reason="needs the extra `jxl`")
        source.write_bytes(pylibjxl.encode(np.zeros((64, 64, 3), np.uint8)))
    else:
        Image.new("RGB", (64, 64), "teal").save(source, kind)
    assert_rendered_as_outside(source, folder, other)


@pytest.mark.parametrize("kind", ["ink", "hdr"])
def test_colors_are_converted_as_outside(places: tuple[Path, Path, Path], kind: str) -> None:
    """The profile of inks comes from a file of the package."""
    source, folder, other = places
    if kind == "ink":
        Image.new("CMYK", (64, 64), (0, 200, 200, 0)).save(source, "JPEG")
    else:
        source.write_bytes(png(Image.new("RGB", (64, 64), "teal"), cicp(9, 16)))
    assert_rendered_as_outside(source, folder, other)


def assert_rendered_as_outside(source: Path, folder: Path, other: Path) -> None:
    outputs = [
        Output.model_validate({"name": name, "width": 32, "format": name})
        for name in ("jpeg", "png", "webp", "avif", "gif")
    ]
    inside = SandboxProcess(60, 1024**3).render(source, outputs, folder, LIMITS)
    assert inside == render(source, outputs, other, LIMITS)
    assert {path.name for path in folder.iterdir()} == {path.name for path in other.iterdir()} - {"source"}

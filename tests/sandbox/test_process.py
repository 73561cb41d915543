"""The sandbox process: it renders what the engine renders, and its crashes, hangs and memory harm nobody."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from PIL import Image

from quickthumb.imaging.engine import render
from quickthumb.imaging.files import NoRoom
from quickthumb.model.errors import BrokenImage, QuickThumbError, ResultsTooLarge, TooManyPixels
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output
from quickthumb.sandbox import process
from quickthumb.sandbox.errors import DecoderCrashed, JobTimedOut, MemoryExceeded
from quickthumb.sandbox.process import SandboxFailed, SandboxProcess
from quickthumb.sandbox.protocol import Answer, Refusal
from tests.conftest import picture
from tests.processes import is_alive

FAULTS = Path(__file__).parents[1] / "faults"
LIMITS = Limits(max_pixels=100_000_000)
MEBIBYTE = 1024 * 1024
SANDBOX = SandboxProcess(seconds=30, memory_bytes=512 * MEBIBYTE)
OUTPUTS = [
    Output(name="small", width=64),
    Output.model_validate({"name": "crop", "size": "50x50", "fit": "cover", "position": "0.2,0.7", "format": "webp"}),
    Output.model_validate({"name": "cut", "crop": "10,20,30,40", "format": "png", "background": "#102030"}),
]
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="needs the limits of Linux")


@pytest.fixture
def faults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FAULTS))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return poison(tmp_path, 400, 300)


def poison(folder: Path, width: int, height: int) -> Path:
    path = folder / "source.jpg"
    path.write_bytes(picture(width, height))
    return path


def children() -> list[psutil.Process]:
    """The running sandbox processes; a test session may have other children."""
    found = psutil.Process().children(recursive=True)
    return [child for child in found if is_alive(child) and "quickthumb.sandbox.child" in child.cmdline()]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux confines threads")
def test_the_process_has_a_single_thread_once_all_is_loaded() -> None:
    code = "import os, quickthumb.sandbox.child; print(len(os.listdir('/proc/self/task')))"
    loaded = subprocess.run(
        [sys.executable, "-P", "-c", code], env=process._environment(), capture_output=True, check=True
    )
    assert loaded.stdout == b"1\n"


def test_it_makes_the_same_as_the_engine(source: Path, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    assert SANDBOX.render(source, OUTPUTS, there, LIMITS) == render(source, OUTPUTS, here, LIMITS)
    made = {path.name: path.read_bytes() for path in here.iterdir()}
    assert made == {path.name: path.read_bytes() for path in there.iterdir()}
    assert len(made) == 3


@pytest.mark.parametrize(
    ("size", "limits"),
    [(50, LIMITS), (None, Limits(max_pixels=10)), (None, Limits(max_pixels=1_000_000, max_result_bytes=500))],
)
def test_it_raises_the_same_as_the_engine(source: Path, tmp_path: Path, size: int | None, limits: Limits) -> None:
    source.write_bytes(source.read_bytes()[:-size] if size else source.read_bytes())
    with pytest.raises(QuickThumbError) as at_home:
        render(source, OUTPUTS, tmp_path, limits)
    with pytest.raises(QuickThumbError) as away:
        SANDBOX.render(source, OUTPUTS, tmp_path, limits)
    assert type(away.value) is type(at_home.value)
    assert type(away.value) in (BrokenImage, TooManyPixels, ResultsTooLarge)
    assert (away.value.detail, away.value.field) == (at_home.value.detail, at_home.value.field)


def test_a_disk_without_room_is_told(source: Path, tmp_path: Path) -> None:
    with pytest.raises(NoRoom):
        SANDBOX.render(source, OUTPUTS, tmp_path, replace(LIMITS, spare_bytes=2**62))


def test_what_the_results_need_is_told() -> None:
    with pytest.raises(NoRoom) as full:
        process._result(Answer(machine_errno=28, needed_bytes=1234).model_dump_json().encode())
    assert (full.value.errno, full.value.needed_bytes) == (28, 1234)


def test_trouble_of_the_machine_stays_trouble_of_the_machine(source: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        SANDBOX.render(source, OUTPUTS, tmp_path / "missing", LIMITS)


@pytest.mark.usefixtures("faults")
@pytest.mark.parametrize(("height", "number"), [(13, signal.SIGABRT), (17, signal.SIGSEGV)])
def test_a_crash_is_told(tmp_path: Path, height: int, number: int) -> None:
    with pytest.raises(DecoderCrashed) as crash:
        SANDBOX.render(poison(tmp_path, 13, height), OUTPUTS, tmp_path, LIMITS)
    assert crash.value.detail == f"The decoder crashed (signal {int(number)})."
    assert not list(tmp_path.glob("core*"))


@pytest.mark.usefixtures("faults")
@pytest.mark.parametrize("height", [14, 15])
def test_a_hang_ends_by_the_clock(tmp_path: Path, height: int) -> None:
    with pytest.raises(JobTimedOut) as late:
        SandboxProcess(1.5, 512 * MEBIBYTE).render(poison(tmp_path, 13, height), OUTPUTS, tmp_path, LIMITS)
    assert late.value.detail == "Processing took longer than 1.5 s."
    assert children() == []


@linux_only
@pytest.mark.usefixtures("faults")
def test_swelling_ends_at_the_limit(tmp_path: Path) -> None:
    with pytest.raises(MemoryExceeded) as full:
        SANDBOX.render(poison(tmp_path, 13, 16), OUTPUTS, tmp_path, LIMITS)
    assert full.value.detail == "Processing needed more than 512 MiB of memory."


@linux_only
@pytest.mark.parametrize(("name", "options"), [("a.webp", {"method": 0}), ("a.jpg", {"progressive": True})])
def test_a_decoder_that_calls_a_picture_broken_for_want_of_memory_is_not_believed(
    tmp_path: Path, name: str, options: dict[str, Any]
) -> None:
    Image.new("RGB", (7000, 7000), "teal").save(tmp_path / name, **options)
    with pytest.raises(MemoryExceeded):
        SandboxProcess(30, 128 * MEBIBYTE).render(tmp_path / name, OUTPUTS[:1], tmp_path, LIMITS)


def confined(tmp_path: Path) -> psutil.Process:
    """A child that hangs."""
    source = poison(tmp_path, 13, 14)

    def make() -> None:
        with pytest.raises((SandboxFailed, JobTimedOut)):
            SandboxProcess(20, 512 * MEBIBYTE).render(source, OUTPUTS, tmp_path, LIMITS)

    threading.Thread(target=make, daemon=True).start()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for child in children():
            if sys.platform != "linux" or Path(f"/proc/{child.pid}/oom_score_adj").read_text().strip() == "1000":
                return child
        time.sleep(0.02)
    raise AssertionError("no child was started")


@linux_only
@pytest.mark.usefixtures("faults")
def test_the_child_knows_no_secrets_and_has_no_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUICKTHUMB_REDIS_URL", "redis://:secret@example.org")
    with (tmp_path / "open").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        child = confined(tmp_path)
        try:
            assert "QUICKTHUMB_REDIS_URL" not in child.environ()
            assert child.rlimit(psutil.RLIMIT_DATA) == (512 * MEBIBYTE, 512 * MEBIBYTE)
            assert child.rlimit(psutil.RLIMIT_CORE) == (0, 0)
            assert child.rlimit(psutil.RLIMIT_CPU)[0] >= 20
            assert str(tmp_path / "open") not in [opened.path for opened in child.open_files()]
            assert os.getsid(child.pid) == child.pid
            child.terminate()  # as a service manager does to all processes of a service
            assert child.is_running()
        finally:
            child.kill()


@linux_only
@pytest.mark.usefixtures("faults")
def test_a_child_that_somebody_else_kills_says_nothing_about_the_picture(tmp_path: Path) -> None:
    source, known = poison(tmp_path, 13, 14), set[int]()

    def kill() -> None:
        known.update(SANDBOX.pids)
        for child in children():
            child.kill()

    killer = threading.Timer(1.0, kill)
    killer.start()
    with pytest.raises(SandboxFailed):
        SANDBOX.render(source, OUTPUTS, tmp_path, LIMITS)
    killer.join()
    assert len(known) == 1
    assert SANDBOX.pids == set()


PARENT = """
import sys
from pathlib import Path
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output
from quickthumb.sandbox.process import SandboxProcess
source = Path(sys.argv[1])
SandboxProcess(30, 2**30).render(source, [Output(width=8)], source.parent, Limits(max_pixels=1000))
"""


@linux_only
def test_the_child_dies_with_its_parent(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(FAULTS), str(FAULTS.parents[1])])}
    parent = psutil.Popen([sys.executable, "-c", PARENT, str(poison(tmp_path, 13, 14))], env=environment)
    deadline = time.monotonic() + 10
    while not (found := parent.children()) and time.monotonic() < deadline:
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(found, timeout=5)
    assert found
    assert not alive


@pytest.mark.parametrize("code", ["no_such_error", "disk_full"])
def test_an_answer_with_an_error_that_no_image_can_have_is_not_believed(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """An unknown error would leave its caller without an answer, a transient one would be tried again for ever."""
    forged = Answer(refusal=Refusal(code=code, detail="The child says so.")).model_dump_json().encode()
    exchange = process._exchange
    monkeypatch.setattr(process, "_exchange", lambda child, request: (exchange(child, request), forged)[1])
    with pytest.raises(SandboxFailed):
        SANDBOX.render(source, OUTPUTS, tmp_path, LIMITS)

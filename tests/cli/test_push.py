"""`quickthumb push` against the service as its users run it, with a proxy between that breaks things."""

import asyncio
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from quickthumb.cli import main
from quickthumb.cli.pushing.folder import Photo, place_of
from quickthumb.cli.pushing.journal import FILE, Journal
from quickthumb.client import Client, Result
from tests.client.between import Between, Fault, between, canned
from tests.conftest import CHECKOUT, clean_environment, picture
from tests.waiting import wait_until

WIDTHS = range(100, 108)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with eight images, two of them in a folder of their own; no other test has their names."""
    made = tmp_path / "in"
    (made / "sub").mkdir(parents=True)
    for width in WIDTHS:
        place = made / "sub" if width < 102 else made
        (place / f"{tmp_path.name}-{width}.jpg").write_bytes(picture(width, 80))
    return made


@pytest.fixture
def proxy(service: str) -> Iterator[Between]:
    with between(service) as proxy:
        yield proxy


@dataclass(frozen=True)
class Ended:
    returncode: int
    stdout: str
    stderr: str


Push = Callable[..., Ended]


@pytest.fixture
def push(capsys: pytest.CaptureFixture[str]) -> Push:
    """Runs the command to its end, in this process: starting one takes longer than the work."""

    def push(folder: Path, server: str, *words: str) -> Ended:
        capsys.readouterr()
        code = main(["push", str(folder), "--out", str(folder.parent / "out"), "--server", server, *words])
        return Ended(code, *capsys.readouterr())

    return push


def started(folder: Path, server: str, *words: str) -> "subprocess.Popen[str]":
    command = ("push", str(folder), "--out", str(folder.parent / "out"), "--server", server, *words)
    return subprocess.Popen(
        [sys.executable, "-m", "quickthumb", *command],
        cwd=CHECKOUT,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def saved(folder: Path) -> list[str]:
    """The files in the folder of results, without the command's own."""
    out = folder.parent / "out"
    files = (path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    return sorted(name for name in files if not name.startswith(".quickthumb-push"))


def results(folder: Path, name: str = "thumbnail.jpg") -> list[str]:
    """The files that should be there in the end."""
    return sorted(f"{path.relative_to(folder).as_posix()}/{name}" for path in folder.rglob("*.jpg"))


def jobs_of(folder: Path, service: str) -> Counter[str | None]:
    """How many jobs each image of the folder has."""
    names = {path.name for path in folder.rglob("*.jpg")}
    with Client(service) as client:
        return Counter(job.source.filename for job in client.jobs() if job.source.filename in names)


def test_a_folder_is_pushed_once(push: Push, folder: Path, proxy: Between) -> None:
    (folder / "notes.txt").write_text("no image")
    (folder / "empty.png").write_bytes(b"")
    (folder / ".hidden.jpg").write_bytes(picture())
    broken = folder / "broken.jpg"
    broken.write_bytes(picture()[:900])
    ended = push(folder, proxy.url, "--preset", "square-32-64")
    assert ended.returncode == 1
    assert f"{folder.parent.name}-105.jpg  done  " in ended.stdout
    assert "notes.txt: The file is not an image" in ended.stdout
    assert "empty.png: The file is empty." in ended.stdout
    assert ended.stdout.count("The image is damaged") == 2  # as it happens, and at the end
    assert ended.stdout.endswith("8 done, 1 failed, 2 passed over.\n")
    assert "Add --retry" in ended.stderr
    with Image.open(folder.parent / "out" / "sub" / f"{folder.parent.name}-100.jpg" / "square-32.jpg") as image:
        assert image.size == (32, 32)

    assert proxy.count("POST /images/") == 9
    again = push(folder, proxy.url, "--preset", "square-32-64")
    assert again.returncode == 1
    assert again.stdout.endswith("0 done, 8 done before, 1 failed, 2 passed over.\n")
    retried = push(folder, proxy.url, "--preset", "square-32-64", "--retry", "--json")
    assert (proxy.count("POST /images/"), proxy.count("POST /jobs/")) == (9, 1)
    *lines, last = map(json.loads, retried.stdout.splitlines())
    assert last == {"summary": {"done": 0, "kept": 8, "failed": 1, "not_tried": 0, "passed_over": 2}}
    (failed,) = [line for line in lines if line["status"] == "failed"]
    assert (failed["path"], failed["code"]) == ("broken.jpg", "broken_image")

    broken.write_bytes(picture(50, 50))
    (folder.parent / "out" / "sub" / f"{folder.parent.name}-101.jpg" / "square-64.jpg").unlink()
    mended = push(folder, proxy.url, "--preset", "square-32-64")
    assert mended.returncode == 0
    assert mended.stdout.endswith("2 done, 7 done before, 2 passed over.\n")
    assert proxy.count("POST /images/") == 10  # the results that are missing are downloaded again


def test_a_run_that_is_killed_goes_on(push: Push, folder: Path, proxy: Between, service: str) -> None:
    tries = lose_answers(proxy, since=5)
    running = started(folder, proxy.url, "--jobs", "2", "--attempts", "1000")
    try:
        wait_for_uploads(proxy, tries)
    finally:
        running.kill()
        running.communicate()
    assert saved(folder) != results(folder)
    proxy.choose = lambda head: None
    ended = push(folder, proxy.url)
    assert ended.returncode == 0, ended.stderr
    assert saved(folder) == results(folder)
    assert set(jobs_of(folder, service).values()) == {1}
    assert len(jobs_of(folder, service)) == len(WIDTHS)


def test_ctrl_c_and_sigterm_stop_it_in_good_order(push: Push, folder: Path, proxy: Between) -> None:
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        before = proxy.count("POST /images/")
        proxy.choose = lambda head: Fault.HELD if head.startswith("POST") else None
        running = started(folder, proxy.url)
        wait_for_uploads(proxy, before + 4)
        running.send_signal(number)
        shown, told = running.communicate(timeout=60)
        assert running.returncode == code
        assert told == "quickthumb: Stopped. Run the same command again to go on.\n"
        assert shown == "0 done, 8 not tried.\n"
    proxy.choose = lambda head: None
    assert push(folder, proxy.url, "-p", "width=20").returncode == 0
    assert saved(folder) == results(folder)


def test_breaks_and_overload(push: Push, folder: Path, proxy: Between, service: str) -> None:
    faults: list[Any] = [Fault.UNANSWERED, Fault.LOST, Fault.HALF_ANSWERED, overloaded(), *[None] * 8]
    proxy.choose = lambda head: None if "/presets" in head else faults[len(proxy.heads) % len(faults)]
    ended = push(folder, proxy.url)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert saved(folder) == results(folder)
    assert set(jobs_of(folder, service).values()) == {1}


def test_a_service_that_goes_away(push: Push, folder: Path, proxy: Between) -> None:
    proxy.choose = lambda head: Fault.LOST if proxy.count("POST") > 3 else None
    ended = push(folder, proxy.url, "--attempts", "2", "--jobs", "1")
    assert ended.returncode == 1
    assert ended.stdout.endswith("3 done, 5 not tried.\n")
    assert "No answer from the service" in ended.stderr
    assert ended.stderr.endswith("Run the same command again to go on.\n")
    proxy.choose = lambda head: overloaded() if head.startswith("POST") else None
    assert "503" in push(folder, proxy.url, "--attempts", "1").stderr
    proxy.choose = lambda head: None
    assert push(folder, proxy.url).stdout.endswith("5 done, 3 done before.\n")


def test_a_mistake_is_one_sentence(push: Push, folder: Path, service: str, tmp_path: Path) -> None:
    for server, words, part in (
        (service, ("--preset", "nonsense"), "preset: There is no such preset"),
        (service, ("-p", "widht=4"), "widht: there is no such parameter"),
        (f"{service}/elsewhere", (), "not the URL of a QuickThumb service"),
        (service, ("--out", str(folder)), "choose another folder with --out"),
    ):
        ended = push(folder, server, *words)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert part in ended.stderr
        assert ended.stderr.count("\n") == 1
    assert push(tmp_path / "none", service).returncode == 2
    with pytest.raises(SystemExit) as ended_early:
        main(["push", str(folder)])
    assert ended_early.value.code == 2


def test_a_terminal_shows_a_bar(folder: Path, service: str) -> None:
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    words = ("push", str(folder), "--out", str(folder.parent / "out"), "--server", service, "--no-recursive")
    ended = subprocess.run(
        [sys.executable, "-m", "quickthumb", *words],
        cwd=CHECKOUT,
        env=clean_environment(TERM="xterm"),
        stdout=terminal,
        stderr=terminal,
        check=False,
    )
    os.close(terminal)
    shown = os.read(controller, 100_000).decode()
    os.close(controller)
    assert ended.returncode == 0, shown
    assert "6/6" in shown
    assert shown.endswith("6 done.\r\n")


def test_results_stay_in_their_folder() -> None:
    def result(name: str, kind: str) -> Result:
        return Result("0" * 32, name, "/", kind, 1, 1, 1, {})

    assert place_of(result("small", "jpeg"), 1) == "small.jpg"
    assert place_of(result("../../small", "png"), 2) == "result-2.png"
    assert place_of(result("..", "a/../b"), 3) == "result-3.bin"
    assert place_of(result("/etc/passwd", "webp"), 4) == "result-4.webp"


def test_the_journal_tells_images_and_orders_apart(tmp_path: Path) -> None:
    photo, other = Photo(tmp_path, "a.jpg", 10, 5), Photo(tmp_path, "a.jpg", 10, 6)
    (tmp_path / "small.jpg").write_bytes(b"four")
    with Journal(tmp_path, "http://a", [("width", "5")]) as journal:
        key = journal.idempotency_key(photo)
        journal.note(photo, "accepted", job="1")
        journal.note(photo, "done", job="1", files={"small.jpg": 4})
    with (tmp_path / FILE).open("ab") as file:
        file.write(b'{"path":"a.jpg","by')  # cut by a kill
    with Journal(tmp_path, "http://b", [("width", "5")]) as journal:
        entry = journal.entry(photo)
        assert entry is not None
        assert (journal.is_done(entry), journal.job_of(entry)) == (True, None)
        assert journal.idempotency_key(photo) == key != journal.idempotency_key(other)
        assert journal.entry(other) is None
    with Journal(tmp_path, "http://a", [("width", "6")]) as journal:
        assert journal.entry(photo) is None
        journal.note(photo, "done", job="2", files={"small.jpg": 4})
    with Journal(tmp_path, "http://a", [("width", "5")]) as journal:
        assert journal.entry(photo) is None  # the other order has replaced the file


def test_no_other_command_loads_the_client() -> None:
    program = "import sys, quickthumb.cli; print([name for name in sys.modules if name in ('httpx', 'tqdm')])"
    shown = subprocess.run(
        [sys.executable, "-c", program], cwd=CHECKOUT, env=clean_environment(), capture_output=True, check=True
    )
    assert shown.stdout == b"[]\n"


def wait_for_uploads(proxy: Between, number: int) -> None:
    asyncio.run(wait_until(lambda: proxy.count("POST /images/") >= number, seconds=60))


def overloaded() -> bytes:
    return canned("503 Service Unavailable", "Retry-After: 1")


def lose_answers(proxy: Between, since: int) -> int:
    """The service accepts uploads, but their answers get lost from the one numbered `since` on.

    Returns the number of an upload that comes when several have been lost.
    """

    def choose(head: str) -> Fault | None:
        return Fault.UNANSWERED if head.startswith("POST") and proxy.count("POST /images/") >= since else None

    proxy.choose = choose
    return since + 3

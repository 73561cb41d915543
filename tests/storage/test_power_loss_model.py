"""The disk that loses its power: it sees every change, whoever makes it, and loses whatever was not synced."""

import io
import os
import random
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.storage.disk_log import BLOCK_BYTES, SECTOR_BYTES, Crash, State
from tests.storage.disk_recorder import Recorder, recording

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows syncs no folders")
OLD, NEW = b"o" * 3 * BLOCK_BYTES, b"n" * (5 * BLOCK_BYTES + 100)


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    folder = tmp_path / "disk"
    folder.mkdir()
    return folder


def sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def after(recorder: Recorder, *, tries: int = 300) -> list[State]:
    """The states in which the disk may be if the power is lost now; the harshest one is the first."""
    recorder.look()
    crash = Crash(recorder.log, len(recorder.log.steps))
    assert crash.everything() == recorder.state()
    return list(crash.states(random.Random(1), tries))


def write_with_open(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)


def write_with_descriptor(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.writev(descriptor, [data[:1000], data[1000:]])
    os.close(descriptor)


def write_with_raw_file(path: Path, data: bytes) -> None:
    with io.BufferedWriter(io.FileIO(path, "w")) as file:
        file.write(data)


def write_with_copy(path: Path, data: bytes) -> None:
    other = path.parent.parent / "outside"
    other.write_bytes(data)
    shutil.copyfile(other, path)


def write_in_folder_descriptor(path: Path, data: bytes) -> None:
    folder = os.open(path.parent, os.O_RDONLY)
    descriptor = os.open(path.name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, dir_fd=folder)
    os.pwrite(descriptor, data, 0)
    os.close(descriptor)
    os.close(folder)


WRITERS = [write_with_open, write_with_descriptor, write_with_raw_file, write_with_copy, write_in_folder_descriptor]


@pytest.mark.parametrize("write", WRITERS)
def test_what_is_not_synced_may_be_lost_whoever_writes_it(disk: Path, write: Callable[[Path, bytes], None]) -> None:
    with recording(disk) as recorder:
        write(disk / "a", NEW)
        states = after(recorder)
    assert states[0] == {}
    contents = {state.get("a") for state in states}
    assert {None, b"", NEW, bytes(len(NEW)), NEW[: BLOCK_BYTES * 5]} <= contents
    assert len(contents) > 20


def test_a_file_needs_its_own_sync_and_one_of_its_folder(disk: Path) -> None:
    with recording(disk) as recorder:
        (disk / "a").write_bytes(NEW)
        (disk / "b").write_bytes(NEW)
        sync(disk / "a")
        assert after(recorder)[0] == {}
        sync(disk)
        states = after(recorder)
    assert states[0] == {"a": NEW, "b": b""}
    assert all(state["a"] == NEW for state in states)


def test_an_overwritten_file_may_have_blocks_of_both(disk: Path) -> None:
    with recording(disk) as recorder:
        (disk / "a").write_bytes(OLD)
        sync(disk / "a")
        sync(disk)
        (disk / "a").write_bytes(NEW)
        states = after(recorder)
    contents = [state["a"] for state in states]
    assert contents[0] == OLD
    assert any(content and OLD[:SECTOR_BYTES] in content and NEW[:SECTOR_BYTES] in content for content in contents)


def test_a_rename_is_on_the_disk_as_a_whole_or_not_at_all(disk: Path) -> None:
    with recording(disk) as recorder:
        for name in ("from", "to"):
            (disk / name).mkdir()
        sync(disk)
        (disk / "from" / "a").write_bytes(NEW)
        sync(disk / "from" / "a")
        sync(disk / "from")
        (disk / "from" / "a").rename(disk / "to" / "b")
        before = after(recorder)
        sync(disk / "to")
        done = after(recorder)
    places = {frozenset(state) - {"from", "to"} for state in before}
    assert places == {frozenset({"from/a"}), frozenset({"to/b"})}
    assert {frozenset(state) for state in done} == {frozenset({"from", "to", "to/b"})}


def test_changes_reach_the_disk_in_any_order(disk: Path) -> None:
    with recording(disk) as recorder:
        for name in "abc":
            (disk / name).mkdir()
        (disk / "b").rmdir()
        states = after(recorder)
    assert {frozenset(state) for state in states} == {
        frozenset(names) for names in ("", "a", "b", "c", "ab", "ac", "bc", "abc")
    }


def test_a_folder_that_is_lost_takes_along_what_is_in_it(disk: Path) -> None:
    with recording(disk) as recorder:
        (disk / "folder").mkdir()
        (disk / "folder" / "a").write_bytes(NEW)
        sync(disk / "folder" / "a")
        sync(disk / "folder")
        assert after(recorder)[0] == {}
        sync(disk)
        assert after(recorder) == [{"folder": None, "folder/a": NEW}] * len(after(recorder))


def test_names_of_one_file_share_its_content(disk: Path) -> None:
    with recording(disk) as recorder:
        (disk / "a").write_bytes(NEW)
        os.link(disk / "a", disk / "b")
        sync(disk / "b")
        (disk / "a").unlink()
        sync(disk)
        assert after(recorder)[0] == {"b": NEW}


def test_a_sync_that_is_ignored_was_never_made(disk: Path) -> None:
    with recording(disk) as recorder:
        (disk / "a").write_bytes(NEW)
        sync(disk / "a")
        sync(disk)
    log = recorder.log
    found = {}
    for place, name in log.syncs().items():
        crash = Crash(log, len(log.steps), frozenset({place}))
        found[name] = next(crash.states(random.Random(1), 0))
    assert found == {"a": {"a": b""}, ".: a": {}}


def test_many_threads_at_once_are_seen(disk: Path) -> None:
    def work(number: int) -> None:
        for turn in range(10):
            folder = disk / f"{number}.{turn}"
            folder.mkdir()
            (folder / "a").write_bytes(b"%d" % turn)
            sync(folder / "a")
            sync(folder)
            folder.rename(disk / f"{number}.{turn}.done")
        sync(disk)

    with recording(disk) as recorder:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(work, range(4)))
        states = after(recorder, tries=5)
    everything = {f"{number}.{turn}.done/a": b"%d" % turn for number in range(4) for turn in range(10)}
    for state in states:
        assert {path: data for path, data in state.items() if data is not None} == everything

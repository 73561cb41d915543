"""The identity of a data folder."""

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import BinaryIO

import pytest

from quickthumb.model.errors import for_operators
from quickthumb.storage import FileStorage, arrivals, durability
from quickthumb.storage.errors import StorageUnavailable, WrongStorage
from tests.conftest import CHECKOUT
from tests.storage.jobs import end, keep


async def test_processes_that_start_at_once_agree_on_the_identity(storage: FileStorage, folder: Path) -> None:
    program = (
        "import asyncio, pathlib, sys\n"
        "from quickthumb.storage import FileStorage\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
        "print(asyncio.run(FileStorage(pathlib.Path(sys.argv[1])).identity()))\n"
    )
    pipe = asyncio.subprocess.PIPE
    words = (sys.executable, "-c", program, str(folder))
    processes = [await asyncio.create_subprocess_exec(*words, cwd=CHECKOUT, stdin=pipe, stdout=pipe) for _ in range(6)]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    told = [output for output, _ in await asyncio.gather(*(process.communicate(b"") for process in processes))]
    assert {output.decode().strip() for output in told} == {await storage.identity()}


async def test_the_identity_is_the_folder_s_own_and_goes_with_it(
    storage: FileStorage, folder: Path, tmp_path: Path
) -> None:
    identity = await storage.identity()
    assert json.loads((folder / "store.json").read_bytes()) == {"id": identity, "version": 1}
    assert await FileStorage(folder).identity() == identity
    assert await FileStorage(tmp_path / "other").identity() != identity
    shutil.rmtree(folder)
    assert await storage.identity() not in {"", identity}


@pytest.mark.parametrize("written", [b"", b"{}", b"[]", b'{"id": "a", "version": 2}'])
async def test_an_identity_that_makes_no_sense_is_refused(storage: FileStorage, folder: Path, written: bytes) -> None:
    folder.mkdir()
    (folder / "store.json").write_bytes(written)
    with pytest.raises(StorageUnavailable):
        await storage.identity()
    assert (folder / "store.json").read_bytes() == written


async def test_a_folder_that_goes_away_is_not_made_anew_and_is_known_again(
    storage: FileStorage, folder: Path, tmp_path: Path
) -> None:
    storage.expect(await storage.identity())
    job_id = await keep(storage)
    folder.rename(tmp_path / "away")
    for missing in (keep(storage), end(storage, job_id, {}, b"DONE"), storage.look_up(job_id), storage.probe()):
        with pytest.raises(WrongStorage) as caught:
            await missing
        assert str(folder) in for_operators(caught.value)
        assert str(folder) not in caught.value.detail
    assert not folder.exists()
    # An empty folder in its place, as after an unmount, is no better.
    folder.mkdir()
    with pytest.raises(WrongStorage):
        await keep(storage)
    assert list(folder.iterdir()) == []
    folder.rmdir()
    (tmp_path / "away").rename(folder)
    assert (await storage.look_up(job_id)).record == b"record"


async def test_a_folder_that_goes_away_during_an_upload_keeps_nothing(
    storage: FileStorage, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage.expect(await storage.identity())

    def goes_away() -> None:
        folder.rename(tmp_path / "away")

    with pytest.raises(WrongStorage):
        await keep(storage, in_the_middle=goes_away)
    # Just after the last look: the folder must not come back half.
    (tmp_path / "away").rename(folder)
    sync_together = durability.sync_together

    def synced_and_gone(*files: BinaryIO) -> None:
        sync_together(*files)
        goes_away()

    monkeypatch.setattr(arrivals, "sync_together", synced_and_gone)
    with pytest.raises(StorageUnavailable):
        await keep(storage)
    assert not folder.exists()

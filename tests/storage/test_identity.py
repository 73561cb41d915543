"""The identity of a data folder."""

import asyncio
import json
import shutil
import sys
from pathlib import Path

import pytest

from quickthumb.storage import FileStorage
from quickthumb.storage.errors import StorageUnavailable
from tests.conftest import CHECKOUT


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

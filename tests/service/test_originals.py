"""Downloads of originals from any storage: searched once, by whoever asks first."""

import asyncio
from pathlib import Path

import pytest

from quickthumb.imaging import location
from quickthumb.imaging.location import Patches
from quickthumb.model.errors import SourceMissing
from quickthumb.service import originals
from quickthumb.service.errors import OriginalWithheld
from quickthumb.service.originals import Originals
from quickthumb.storage import Blob, FileStorage, Storage
from quickthumb.storage.errors import StorageUnavailable
from tests.imaging.location.files import FILES, TRACES
from tests.service.test_jobs import read
from tests.storage.jobs import keep
from tests.storage.memory import MemoryStorage

DATA = FILES["jpeg-exif"]()


@pytest.fixture(params=["files", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return MemoryStorage() if request.param == "memory" else FileStorage(tmp_path / "data")


async def kept(storage: Storage, data: bytes = DATA) -> Blob:
    blob = await storage.source(await keep(storage, data))
    assert blob is not None
    return blob


@pytest.fixture
def searched(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are looked through, in order."""
    paths: list[Path] = []

    def find(path: Path) -> Patches:
        paths.append(path)
        return location.find_location(path)

    monkeypatch.setattr(originals, "find_location", find)
    return paths


async def test_a_place_is_not_in_any_part(storage: Storage) -> None:
    download = await Originals(storage, keeps_location=False).download(await kept(storage))
    whole = await read(download)
    assert len(whole) == len(DATA)
    assert not any(trace in whole for trace in TRACES)
    assert b"".join([await read(download, at, min(at + 50, len(DATA))) for at in range(0, len(DATA), 50)]) == whole
    assert download.version != download.blob.version


async def test_it_is_kept_if_that_is_wanted(storage: Storage, searched: list[Path]) -> None:
    download = await Originals(storage, keeps_location=True).download(await kept(storage))
    assert (await read(download), download.version) == (DATA, download.blob.version)
    assert searched == []


async def test_a_file_is_looked_through_once(storage: Storage, searched: list[Path]) -> None:
    asked, blob = Originals(storage, keeps_location=False), await kept(storage)
    downloads = await asyncio.gather(*(asked.download(blob) for _ in range(5)))
    assert len({download.version for download in [*downloads, await asked.download(blob)]}) == 1
    assert len(searched) == 1


async def test_a_client_that_leaves_does_not_end_the_search_of_another(storage: Storage) -> None:
    asked, blob = Originals(storage, keeps_location=False), await kept(storage)
    leaving, staying = (asyncio.create_task(asked.download(blob)) for _ in range(2))
    await asyncio.sleep(0)
    leaving.cancel()
    whole = await read(await staying)
    assert not any(trace in whole for trace in TRACES)


async def test_only_so_many_are_remembered(
    storage: Storage, searched: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(originals, "KEPT_FILES", 2)
    asked = Originals(storage, keeps_location=False)
    first, second, third = [await kept(storage) for _ in range(3)]
    for blob in (first, second, first, third, first, second):
        await asked.download(blob)
    assert len(searched) == 4  # the second one was forgotten when the third came


async def test_a_failure_of_the_storage_is_not_remembered(
    storage: Storage, searched: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, blob = Originals(storage, keeps_location=False), await kept(storage)

    def fail(_: Path) -> Patches:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(originals, "find_location", fail)
        with pytest.raises(StorageUnavailable):
            await asked.download(blob)
    assert len(await read(await asked.download(blob))) == len(DATA)
    assert len(searched) == 1


async def test_a_file_of_far_too_many_parts_is_withheld(storage: Storage, searched: list[Path]) -> None:
    blob = await kept(storage, DATA + b"Exif\0\0II*\0" * 400_000)
    asked = Originals(storage, keeps_location=False)
    for _ in range(2):
        with pytest.raises(OriginalWithheld):
            await asked.download(blob)
    assert len(searched) == 1
    assert (await Originals(storage, keeps_location=True).download(blob)).blob == blob


async def test_a_source_that_was_just_removed_is_missing(storage: Storage) -> None:
    blob = await kept(storage)
    await storage.remove(blob.key.split("/")[-2])
    with pytest.raises(SourceMissing):
        await Originals(storage, keeps_location=False).download(blob)

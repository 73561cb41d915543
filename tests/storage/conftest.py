"""Fixtures of the storage on a file system."""

import os
from pathlib import Path

import pytest

from quickthumb.storage import FileStorage
from tests.storage.jobs import Break, GrowOlder, Left


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def storage(folder: Path) -> FileStorage:
    return FileStorage(folder)


@pytest.fixture
def left(folder: Path) -> Left:
    """Lists every stored file and every unfinished upload or workspace; not the tombstones of removed jobs."""

    def found() -> list[str]:
        files = {path for path in folder.rglob("*") if path.is_file() and path.parent.name != ".removed"}
        on_their_way = {path for area in (".arriving", ".making") for path in folder.glob(f"*/{area}/*")}
        return sorted(str(path.relative_to(folder)) for path in files | on_their_way)

    return found


@pytest.fixture
def break_it(monkeypatch: pytest.MonkeyPatch) -> Break:
    """Makes every sync fail with an errno."""

    def break_it(number: int) -> None:
        def fails(_: int) -> None:
            raise OSError(number, os.strerror(number))

        for name in ("fsync", "fdatasync"):
            monkeypatch.setattr(os, name, fails, raising=False)

    return break_it


@pytest.fixture
def grow_older(folder: Path) -> GrowOlder:
    def grow_older(seconds: float) -> None:
        for path in folder.rglob("*"):
            status = path.stat()
            os.utime(path, (status.st_atime, status.st_mtime - seconds))

    return grow_older

"""The storage in memory passes the same contract, so nothing above the contract needs files."""

import pytest

from tests.storage.contract import StorageContract
from tests.storage.jobs import Break, GrowOlder, Left
from tests.storage.memory import MemoryStorage


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def left(storage: MemoryStorage) -> Left:
    return lambda: sorted([*storage.entries, *storage.arriving, *map(str, storage.making)])


@pytest.fixture
def break_it(storage: MemoryStorage) -> Break:
    def break_it(number: int) -> None:
        storage.failing = number

    return break_it


@pytest.fixture
def grow_older(storage: MemoryStorage) -> GrowOlder:
    return storage.grow_older


class TestMemoryStorage(StorageContract):
    """The contract, in memory."""

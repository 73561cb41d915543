"""Loses the power at every moment of every change, and all that was not synced: what was promised is still kept."""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from quickthumb.model.job import new_id
from quickthumb.storage import FileStorage
from quickthumb.storage.layout import record_key, upload_folder
from tests.storage.disk_log import Crash
from tests.storage.disk_recorder import recording
from tests.storage.jobs import keep
from tests.storage.outage import SWEEP, Outage
from tests.storage.power_scenes import PLAIN_SCENES, SCENES, Scene
from tests.storage.power_stage import Stage

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows syncs no folders")
TRIES = 4
IN_MEMORY = "/dev/shm"  # noqa: S108 - a folder of a name that nobody can guess is made in it
# Syncs of folders whose content need not survive; making them costs nothing, since it happens once.
NEEDLESS = frozenset({"data/uploads: .arriving", "data/processed: .making"})


@pytest.fixture
def memory() -> Iterator[Path]:
    """A new folder in memory where that can be had. What a disk would keep is computed; thousands of folders are made
    and removed for it, which takes a real disk minutes."""
    with tempfile.TemporaryDirectory(dir=IN_MEMORY if os.access(IN_MEMORY, os.W_OK) else None) as name:
        yield Path(name)


async def played(scene: Scene, disk: Path) -> Stage:
    disk.mkdir()
    with recording(disk) as recorder:
        stage = Stage(recorder, disk / "data")
        await stage.begin()
        await scene(stage)
        real = recorder.state()
    rebuilt = Crash(recorder.log, len(recorder.log.steps)).everything()
    assert rebuilt == real
    return stage


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
async def test_power_loss_breaks_no_promise(scene: Scene, memory: Path) -> None:
    stage = await played(scene, memory / "disk")
    outage = Outage(stage.recorder.log, stage.promises, memory / "after", tries=TRIES)
    broken = await outage.broken()
    assert broken is None, f"{broken.what}, after {stage.recorder.log.told(broken.moment)}"


@pytest.mark.parametrize("scene", PLAIN_SCENES, ids=lambda scene: scene.__name__)
async def test_without_any_one_of_the_syncs_a_promise_is_broken(scene: Scene, memory: Path) -> None:
    stage = await played(scene, memory / "disk")
    outage = Outage(stage.recorder.log, stage.promises, memory / "after", tries=2)
    syncs = {place: name for place, name in stage.recorder.log.syncs().items() if place >= stage.promises.first}
    needless = [name for place, name in syncs.items() if not await outage.is_needed(place)]
    assert syncs
    assert needless == [name for name in syncs.values() if name in NEEDLESS]


async def test_a_source_that_comes_back_alone_is_swept_in_the_end(tmp_path: Path) -> None:
    storage, job_id = FileStorage(tmp_path), new_id()
    await keep(storage, job_id=job_id)
    (tmp_path / record_key(job_id)).unlink()
    for hours, is_left in ((40, True), (50, False)):
        then = time.time() - hours * 3_600
        os.utime(tmp_path / upload_folder(job_id), (then, then))
        assert (await storage.expire(SWEEP)).job_ids == ()
        assert (await storage.source(job_id) is not None) == is_left

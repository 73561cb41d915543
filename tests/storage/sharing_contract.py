"""What a storage owes for sources that several jobs share."""

import asyncio
import errno

import pytest

from quickthumb.model.errors import QuickThumbError
from quickthumb.model.job import new_id
from quickthumb.storage import Kept, Storage
from quickthumb.storage.errors import DiskFull, StorageUnavailable
from tests.storage.jobs import (
    Break,
    Left,
    bytes_of,
    cancelled_after,
    content,
    end,
    keep,
)


class SharingContract:
    """One test for each obligation that concerns shared sources."""

    async def test_jobs_share_a_source(self, storage: Storage) -> None:
        first, second, third = await keep(storage, b"the source", b"first"), new_id(), new_id()
        assert await storage.share(first, second, b"second")
        assert await storage.share(second, third, b"third")
        for job_id, record in ((first, b"first"), (second, b"second"), (third, b"third")):
            kept = await storage.look_up(job_id)
            assert (kept.record, await content(storage, kept.source), kept.outcome) == (record, b"the source", None)
        ids = [job_id async for batch in storage.job_ids() for job_id in batch]
        assert sorted(ids) == sorted([first, second, third])
        await end(storage, second, {"a.jpg": b"a"}, b"DONE")
        assert (await storage.look_up(first)).outcome is None

    @pytest.mark.parametrize("source_only", [True, False])
    @pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
    async def test_a_shared_source_stays_until_the_last_job_lets_go_of_it(
        self, storage: Storage, left: Left, order: tuple[int, ...], source_only: bool
    ) -> None:
        ids = [await keep(storage, b"the source"), new_id(), new_id()]
        for job_id in ids[1:]:
            assert await storage.share(ids[0], job_id, b"record")
        for number, going in enumerate(order):
            await (storage.remove_source if source_only else storage.remove)(ids[going])
            assert await storage.source(ids[going]) is None
            for staying in order[number + 1 :]:
                assert await content(storage, await storage.source(ids[staying])) == b"the source"
                assert (await storage.look_up(ids[staying])).record == b"record"
        for job_id in ids:
            assert (await storage.look_up(job_id)).record == (b"record" if source_only else None)
            await storage.remove(job_id)
        assert left() == []

    async def test_a_source_that_is_gone_cannot_be_shared(self, storage: Storage, left: Left) -> None:
        job_id, other = await keep(storage), new_id()
        await storage.remove_source(job_id)
        before = left()
        assert not await storage.share(job_id, other, b"record")
        assert not await storage.share(new_id(), other, b"record")
        assert await storage.look_up(other) == Kept(None, None, None)
        assert left() == before

    @pytest.mark.parametrize("going", [0, 1])
    async def test_jobs_share_results(self, storage: Storage, left: Left, going: int) -> None:
        ids = [await keep(storage), await keep(storage)]
        await end(storage, ids[0], {"a.jpg": b"first", "b.jpg": b"second"}, b"DONE")
        async with storage.workspace(ids[1], new_id()) as folder:
            assert await storage.link_results(ids[0], ["a.jpg", "b.jpg"], folder)
            assert await storage.conclude(ids[1], folder, b"DONE too", ["a.jpg", "b.jpg"]) == b"DONE too"
        await storage.remove(ids[going])
        staying = ids[1 - going]
        assert await bytes_of(storage, ids[going], "a.jpg") is None
        assert await bytes_of(storage, staying, "a.jpg") == b"first"
        assert await bytes_of(storage, staying, "b.jpg") == b"second"
        await storage.remove(staying)
        assert left() == []

    async def test_results_are_shared_all_or_none(self, storage: Storage) -> None:
        job_id, other = await keep(storage), await keep(storage)
        await end(storage, job_id, {"a.jpg": b"first"}, b"DONE")
        async with storage.workspace(other, new_id()) as folder:
            assert not await storage.link_results(job_id, ["a.jpg", "b.jpg"], folder)
            assert not await storage.link_results(new_id(), ["a.jpg"], folder)
            assert not [*folder.iterdir()]
            # What is made then is no longer what the other job has.
            (folder / "a.jpg").write_bytes(b"its own")
            await storage.conclude(other, folder, b"DONE", ["a.jpg"])
        assert await bytes_of(storage, job_id, "a.jpg") == b"first"

    async def test_sharing_never_overwrites_a_job(self, storage: Storage, left: Left) -> None:
        job_id, other = await keep(storage, b"the source"), await keep(storage, b"another", b"its record")
        before = left()
        with pytest.raises(StorageUnavailable):
            await storage.share(job_id, other, b"record")
        kept = await storage.look_up(other)
        assert (kept.record, await content(storage, kept.source)) == (b"its record", b"another")
        assert left() == before

    @pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, DiskFull), (errno.EIO, StorageUnavailable)])
    async def test_trouble_while_sharing_leaves_nothing(
        self, storage: Storage, left: Left, break_it: Break, number: int, kind: type[QuickThumbError]
    ) -> None:
        job_id = await keep(storage)
        before = left()
        break_it(number)
        with pytest.raises(kind):
            await storage.share(job_id, new_id(), b"record")
        assert left() == before
        assert await content(storage, await storage.source(job_id)) == b"source"

    @pytest.mark.parametrize("rounds", range(4))
    async def test_whoever_is_cancelled_while_sharing_leaves_all_of_it_or_nothing(
        self, storage: Storage, left: Left, rounds: int
    ) -> None:
        job_id, other = await keep(storage), new_id()
        before = left()
        entered = asyncio.Event()
        shared: list[bool] = []

        async def share() -> None:
            entered.set()
            shared.append(await storage.share(job_id, other, b"record"))

        await cancelled_after(share(), entered, rounds)
        added = len(left()) - len(before)
        assert (added, shared) in [(0, []), (2, [True])]
        assert await content(storage, await storage.source(job_id)) == b"source"

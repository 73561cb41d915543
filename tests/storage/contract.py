"""The obligations of `quickthumb/storage/contract.py` as tests.

To test a storage, subclass `StorageContract` and provide these fixtures:

- `storage`: an empty storage;
- `left`: a function that lists everything the storage holds, whether stored or unfinished;
- `break_it`: a function that makes the storage's next writes fail with an OSError of the given number;
- `grow_older`: a function that makes everything in the storage that many seconds older.

No test here knows where a storage keeps its blobs: they are read through the contract, or as local files it yields.
"""

import asyncio
import errno
import json
import math
from dataclasses import replace

import pytest

from quickthumb.model.errors import QuickThumbError
from quickthumb.model.job import new_id
from quickthumb.model.retention import Retention
from quickthumb.storage import Kept, Recorded, RetentionAges, Storage
from quickthumb.storage.contract import BATCH
from quickthumb.storage.errors import DiskFull, StorageUnavailable, WrongStorage
from quickthumb.storage.layout import change_key, mail_record, record_key
from tests.storage.blob_contract import BlobContract
from tests.storage.jobs import (
    Break,
    GoneAway,
    GrowOlder,
    Left,
    bytes_of,
    cancelled_after,
    content,
    end,
    go_away,
    keep,
)
from tests.storage.sharing_contract import SharingContract

AGES = RetentionAges(ended_seconds=1_000, source_seconds=100, unended_seconds=10_000, unfinished_seconds=10_000)


class StorageContract(BlobContract, SharingContract):
    """Every obligation of a storage. The tests of this class are about jobs; the rest are inherited."""

    async def test_what_was_kept_is_there_whole(self, storage: Storage) -> None:
        job_id = new_id()
        async with storage.receive(job_id) as arrival:
            await arrival.write(b"first, ")
            await arrival.write(b"second")
            await arrival.keep(b"record")
        kept = await storage.look_up(job_id)
        assert (kept.record, await content(storage, kept.source), kept.outcome) == (b"record", b"first, second", None)
        assert await storage.source(job_id) == kept.source

    async def test_nothing_is_visible_before_it_is_kept(self, storage: Storage) -> None:
        job_id = new_id()
        async with storage.receive(job_id) as arrival:
            await arrival.write(b"source")
            async with arrival.written() as path:
                assert path.read_bytes() == b"source"
            assert await storage.look_up(job_id) == Kept(None, None, None)
            assert await storage.source(job_id) is None
            await arrival.keep(b"record")
            assert (await storage.look_up(job_id)).record == b"record"

    async def test_a_source_that_comes_later(self, storage: Storage) -> None:
        job_id = new_id()
        assert await storage.put(record_key(job_id), b"record")
        kept = await storage.look_up(job_id)
        assert (kept.record, kept.source, kept.outcome) == (b"record", None, None)
        async with storage.supply(job_id, "token") as arrival:
            await arrival.write(b"source")
            async with arrival.written() as path:
                assert path.read_bytes() == b"source"
            assert await storage.source(job_id) is None
            await arrival.keep(b"ignored")
        kept = await storage.look_up(job_id)
        assert (kept.record, await content(storage, kept.source)) == (b"record", b"source")
        await storage.remove(job_id)
        assert await storage.was_removed(job_id)
        assert await storage.look_up(job_id) == Kept(None, None, None)

    async def test_a_later_source_that_is_not_kept_is_gone(self, storage: Storage, left: Left) -> None:
        job_id = new_id()
        await storage.put(record_key(job_id), b"record")
        before = left()
        async with storage.supply(job_id, "token") as arrival:
            await arrival.write(b"source" * 1_000_000)
        assert await storage.source(job_id) is None
        assert left() == before

    async def test_the_first_of_two_later_sources_stays(self, storage: Storage, left: Left) -> None:
        job_id, empty = new_id(), left()
        await storage.put(record_key(job_id), b"record")
        async with storage.supply(job_id, "one") as first, storage.supply(job_id, "two") as second:
            await first.write(b"first")
            await second.write(b"second")
            await first.keep(b"")
            with pytest.raises(StorageUnavailable):
                await second.keep(b"")
        assert await content(storage, await storage.source(job_id)) == b"first"
        await storage.remove(job_id)
        assert left() == empty

    async def test_a_later_source_of_a_job_that_was_removed(self, storage: Storage, left: Left) -> None:
        job_id = new_id()
        await storage.put(record_key(job_id), b"record")
        async with storage.supply(job_id, "token") as arrival:
            await arrival.write(b"source")
            await storage.remove(job_id)
            with pytest.raises(StorageUnavailable):
                await arrival.keep(b"")
        assert await storage.look_up(job_id) == Kept(None, None, None)
        assert left() == []

    async def test_what_was_not_kept_is_gone(self, storage: Storage, left: Left) -> None:
        job_id = new_id()
        async with storage.receive(job_id) as arrival:
            await arrival.write(b"source" * 100_000)
        assert await storage.look_up(job_id) == Kept(None, None, None)
        assert left() == []

    async def test_an_upload_that_breaks_off_leaves_nothing(self, storage: Storage, left: Left) -> None:
        with pytest.raises(GoneAway):
            await keep(storage, in_the_middle=go_away)
        assert left() == []

    async def test_sources_arrive_side_by_side(self, storage: Storage) -> None:
        sources = [b"%d" % number * 10_000 for number in range(20)]
        ids = await asyncio.gather(*(keep(storage, source) for source in sources))
        for job_id, source in zip(ids, sources, strict=True):
            assert await content(storage, await storage.source(job_id)) == source

    async def test_one_job_never_overwrites_another(self, storage: Storage) -> None:
        job_id = await keep(storage, b"the first")
        with pytest.raises(StorageUnavailable):
            await keep(storage, b"the second", b"its record", job_id)
        kept = await storage.look_up(job_id)
        assert (kept.record, await content(storage, kept.source)) == (b"record", b"the first")

    async def test_a_workspace_is_empty_and_goes(self, storage: Storage, left: Left) -> None:
        job_id = new_id()
        async with storage.workspace(job_id, "a") as first, storage.workspace(job_id, "b") as second:
            assert list(first.iterdir()) == []
            (first / "thumbnail.jpg").write_bytes(b"result")
            assert list(second.iterdir()) == []
        assert not first.exists()
        assert left() == []

    async def test_work_begins_with_what_is_kept_and_a_workspace(self, storage: Storage, left: Left) -> None:
        job_id = await keep(storage)
        before = left()
        async with storage.work_on(job_id, "token") as work:
            assert work.kept == await storage.look_up(job_id)
            assert work.folder is not None
            assert list(work.folder.iterdir()) == []
            (work.folder / "a.jpg").write_bytes(b"a")
        assert left() == before

    async def test_there_is_no_work_without_a_record_or_after_the_end(self, storage: Storage, left: Left) -> None:
        ended = await keep(storage)
        await end(storage, ended, {"a.jpg": b"a"}, b"DONE")
        before = left()
        for job_id in (ended, new_id()):
            async with storage.work_on(job_id, "token") as work:
                assert (work.kept, work.folder) == (await storage.look_up(job_id), None)
                assert left() == before

    async def test_results_are_there_with_the_outcome_and_not_before(self, storage: Storage) -> None:
        job_id = await keep(storage)
        async with storage.workspace(job_id, "token") as folder:
            (folder / "a.jpg").write_bytes(b"a")
            (folder / "b.webp").write_bytes(b"b")
            assert await storage.result(job_id, "a.jpg") is None
            assert await storage.conclude(job_id, folder, b"outcome", ["a.jpg", "b.webp"]) == b"outcome"
        assert (await bytes_of(storage, job_id, "a.jpg"), await bytes_of(storage, job_id, "b.webp")) == (b"a", b"b")
        assert await storage.result(job_id, "c.gif") is None
        assert (await storage.look_up(job_id)).outcome == b"outcome"

    async def test_the_first_outcome_stands(self, storage: Storage, left: Left) -> None:
        job_id = await keep(storage)
        assert await end(storage, job_id, {"a.jpg": b"first"}, b"DONE") == b"DONE"
        before = left()
        assert await end(storage, job_id, {"a.jpg": b"second", "b.jpg": b"b"}, b"FAILED") == b"DONE"
        assert await bytes_of(storage, job_id, "a.jpg") == b"first"
        assert await storage.result(job_id, "b.jpg") is None
        assert left() == before

    async def test_an_outcome_without_results_stands_too(self, storage: Storage) -> None:
        job_id = await keep(storage)
        assert await end(storage, job_id, {}, b"FAILED") == b"FAILED"
        assert await end(storage, job_id, {"a.jpg": b"a"}, b"DONE") == b"FAILED"
        assert await storage.result(job_id, "a.jpg") is None

    async def test_of_many_who_conclude_at_once_one_wins_and_all_learn_of_it(self, storage: Storage) -> None:
        job_id = await keep(storage)
        names = [b"%d" % number for number in range(8)]
        standing = await asyncio.gather(*(end(storage, job_id, {"a.jpg": name}, name) for name in names))
        assert len(set(standing)) == 1
        assert await bytes_of(storage, job_id, "a.jpg") == standing[0]

    async def test_removing_leaves_nothing_whatever_was_there(self, storage: Storage, left: Left) -> None:
        await storage.remove(new_id())
        accepted, ended, orphan = await keep(storage), await keep(storage), new_id()
        await end(storage, ended, {"a.jpg": b"a"}, b"DONE")
        await end(storage, orphan, {"a.jpg": b"a"}, b"DONE")
        for job_id in (accepted, ended, orphan):
            await storage.remove(job_id)
            assert await storage.look_up(job_id) == Kept(None, None, None)
            assert await storage.source(job_id) is None
            assert await storage.result(job_id, "a.jpg") is None
        await storage.remove(ended)
        assert left() == []

    async def test_a_source_can_go_by_itself(self, storage: Storage) -> None:
        job_id, other = await keep(storage), await keep(storage)
        await end(storage, job_id, {"thumbnail.jpg": b"small"}, b"outcome")
        for _ in range(2):
            await storage.remove_source(job_id)
        assert await storage.source(job_id) is None
        assert await storage.look_up(job_id) == Kept(b"record", None, b"outcome")
        assert await storage.result(job_id, "thumbnail.jpg")
        assert await storage.source(other)

    async def test_removing_one_leaves_the_others(self, storage: Storage) -> None:
        stays, goes = await keep(storage), await keep(storage)
        await storage.remove(goes)
        assert (await storage.look_up(stays)).record == b"record"

    @pytest.mark.parametrize(
        ("number", "kind"),
        [
            (errno.ENOSPC, DiskFull),
            (errno.EDQUOT, DiskFull),
            (errno.EIO, StorageUnavailable),
            (errno.EROFS, StorageUnavailable),
        ],
    )
    async def test_trouble_has_a_name_and_leaves_nothing(
        self, storage: Storage, left: Left, break_it: Break, number: int, kind: type[QuickThumbError]
    ) -> None:
        with pytest.raises(kind) as caught:
            await keep(storage, in_the_middle=lambda: break_it(number))
        assert not caught.value.permanent
        assert left() == []

    @pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, DiskFull), (errno.EIO, StorageUnavailable)])
    async def test_trouble_at_the_end_of_an_attempt_leaves_the_job_as_it_was(
        self, storage: Storage, left: Left, break_it: Break, number: int, kind: type[QuickThumbError]
    ) -> None:
        job_id = await keep(storage)
        before = left()
        with pytest.raises(kind):
            await end(storage, job_id, {"a.jpg": b"a"}, b"outcome", lambda: break_it(number))
        assert left() == before
        assert (await storage.look_up(job_id)).outcome is None

    @pytest.mark.parametrize("rounds", range(12))
    async def test_whoever_is_cancelled_while_sending_leaves_nothing(
        self, storage: Storage, left: Left, rounds: int
    ) -> None:
        await keep(storage)
        before = left()
        entered = asyncio.Event()

        async def send() -> None:
            entered.set()
            await keep(storage, b"source" * 25_000, in_the_middle=go_away)

        await cancelled_after(send(), entered, rounds)
        assert left() == before

    @pytest.mark.parametrize("rounds", range(8))
    async def test_whoever_is_cancelled_while_ending_a_job_leaves_all_of_it_or_nothing(
        self, storage: Storage, left: Left, rounds: int
    ) -> None:
        job_id = await keep(storage)
        before = left()
        entered = asyncio.Event()

        async def attempt() -> None:
            entered.set()
            await end(storage, job_id, {f"{number}.jpg": b"a" * 100_000 for number in range(20)}, b"DONE")

        await cancelled_after(attempt(), entered, rounds)
        kept = await storage.look_up(job_id)
        added = len(left()) - len(before)
        assert (added, kept.outcome) in {(0, None), (21, b"DONE")}

    async def test_an_arrival_can_be_read_while_it_comes_in(self, storage: Storage) -> None:
        async with storage.receive(new_id()) as arrival:
            for data in (b"first, ", b"second"):
                await arrival.write(data)
                async with arrival.written() as path:
                    assert path.read_bytes().endswith(data)
            async with arrival.written() as path:
                assert path.read_bytes() == b"first, second"

    async def test_a_job_that_was_reopened_can_end_again(self, storage: Storage) -> None:
        job_id = await keep(storage)
        await end(storage, job_id, {"a.jpg": b"a"}, b"FAILED")
        assert await storage.reopen(job_id, b"FAILED")
        assert (await storage.look_up(job_id)).outcome is None
        assert await storage.result(job_id, "a.jpg") is None
        assert await end(storage, job_id, {"b.jpg": b"b"}, b"DONE") == b"DONE"
        assert await bytes_of(storage, job_id, "b.jpg") == b"b"

    async def test_only_the_outcome_that_the_caller_knows_is_reopened(self, storage: Storage, left: Left) -> None:
        job_id = await keep(storage)
        assert not await storage.reopen(job_id, b"FAILED")
        await end(storage, job_id, {"a.jpg": b"a"}, b"DONE")
        before = left()
        assert not await storage.reopen(job_id, b"FAILED")
        assert left() == before
        assert await bytes_of(storage, job_id, "a.jpg") == b"a"
        reopened = await asyncio.gather(*(storage.reopen(job_id, b"DONE") for _ in range(8)))
        assert sorted(reopened) == [*[False] * 7, True]

    async def test_every_job_is_known_by_its_id(self, storage: Storage) -> None:
        ids = [await keep(storage) for _ in range(12)]
        await storage.put(mail_record(new_id()), b"data")
        batches = [batch async for batch in storage.job_ids()]
        assert all(0 < len(batch) <= BATCH for batch in batches)
        assert sorted(job_id for batch in batches for job_id in batch) == sorted(ids)

    async def test_the_records_of_many_jobs_are_those_of_each(self, storage: Storage) -> None:
        ids = [await keep(storage, record=record) for record in (b"record", b"", b"long" * 10_000)]
        await end(storage, ids[1], {"a.jpg": b"a"}, b"DONE")
        asked = [ids[2], new_id(), *ids]
        kept = [await storage.look_up(job_id) for job_id in asked]
        assert await storage.records(asked) == [Recorded(job.record, job.outcome) for job in kept]
        assert await storage.records([]) == []

    async def test_the_last_change_of_a_job_stands_until_the_job_ends_or_is_removed(self, storage: Storage) -> None:
        job_id = await keep(storage)
        for number in (1, 2):
            assert await storage.put(change_key(job_id, number), b"change %d" % number)
        assert not await storage.put(change_key(job_id, 2), b"another")
        (recorded,) = await storage.records([job_id])
        assert recorded.change == b"change 2"
        await storage.remove(job_id)
        assert await storage.find(change_key(job_id, 1)) is None
        assert await storage.records([job_id]) == [Recorded(None, None)]

    async def test_the_sweep_removes_what_is_old_and_nothing_else(
        self, storage: Storage, grow_older: GrowOlder
    ) -> None:
        ended, never_ends = await keep(storage), await keep(storage)
        await end(storage, ended, {"a.jpg": b"a"}, b"DONE")
        sharing, fresh = new_id(), new_id()
        await storage.share(ended, sharing, b"record")
        grow_older(60)
        report = await storage.expire(AGES)
        assert (report.job_ids, report.sources) == ((), 0)
        assert sorted(report.unended) == sorted([never_ends, sharing])

        grow_older(60)
        await storage.share(ended, fresh, b"record")
        await end(storage, fresh, {"a.jpg": b"fresh"}, b"DONE")
        report = await storage.expire(AGES)
        assert (report.job_ids, report.sources) == ((), 1)
        assert await storage.source(ended) is None
        for job_id in (sharing, fresh):
            assert await content(storage, await storage.source(job_id)) == b"source"

        await end(storage, sharing, {}, b"DONE")
        grow_older(950)
        assert (await storage.expire(AGES)).job_ids == (ended,)
        assert await storage.look_up(ended) == Kept(None, None, None)
        assert await bytes_of(storage, fresh, "a.jpg") == b"fresh"
        grow_older(9_500)
        report = await storage.expire(AGES)
        assert (sorted(report.job_ids), report.unended) == (sorted([never_ends, sharing, fresh]), ())

    async def test_a_job_is_kept_as_long_as_it_was_concluded_with(
        self, storage: Storage, grow_older: GrowOlder
    ) -> None:
        names = {None: "general", "1m": "short", "1h": "long", "forever": "for good"}
        jobs = {await keep(storage): how_long for how_long in names}
        for job_id, how_long in jobs.items():
            await end(storage, job_id, {"a.jpg": b"a"}, b"DONE", keep=how_long)

        async def left() -> list[str]:
            return [names[how_long] for job_id, how_long in jobs.items() if await storage.result(job_id, "a.jpg")]

        grow_older(50)
        assert (await storage.expire(AGES)).job_ids == ()
        grow_older(20)
        assert len((await storage.expire(AGES)).job_ids) == 1
        assert await left() == ["general", "long", "for good"]
        grow_older(40)
        # The sources of kept jobs are kept no longer than others.
        assert ((report := await storage.expire(AGES)).job_ids, report.sources) == ((), 3)
        grow_older(1_000)
        await storage.expire(AGES)
        assert await left() == ["long", "for good"]
        grow_older(10_000_000)
        assert len((await storage.expire(AGES)).job_ids) == 1
        assert await left() == ["for good"]

    async def test_a_job_that_is_reopened_is_kept_as_it_is_concluded_then(
        self, storage: Storage, grow_older: GrowOlder
    ) -> None:
        job_id = await keep(storage)
        await end(storage, job_id, {}, b"FAILED", keep="forever")
        # The first outcome stands, and so does what came with it.
        assert await end(storage, job_id, {}, b"DONE", keep="1m") == b"FAILED"
        grow_older(2_000)
        assert (await storage.expire(AGES)).job_ids == ()
        assert await storage.reopen(job_id, b"FAILED")
        await end(storage, job_id, {}, b"DONE", keep="1m")
        grow_older(61)
        assert (await storage.expire(AGES)).job_ids == (job_id,)

    async def test_tenants_have_times_of_their_own(self, storage: Storage, grow_older: GrowOlder) -> None:
        tenants = {"ada": Retention(math.inf, 0), "bob": Retention(10, math.inf), "cat": Retention(500, 50)}
        ages = replace(AGES, tenants=tenants)
        records = {name: json.dumps({"tenant": name}).encode() for name in ("ada", "bob", "cat", "dan")}
        records |= {"default": b"{}", "unreadable": b"record"}
        jobs = {name: await keep(storage, record=record) for name, record in records.items()}
        for job_id in jobs.values():
            await end(storage, job_id, {}, b"DONE")

        async def left() -> dict[str, bool]:
            """The jobs that are left, and whether their sources are."""
            kept = {name: await storage.look_up(job_id) for name, job_id in jobs.items()}
            return {name: found.source is not None for name, found in kept.items() if found.outcome is not None}

        grow_older(5)
        await storage.expire(ages)
        everything = dict.fromkeys(jobs, True)
        assert await left() == {**everything, "ada": False}
        grow_older(10)
        await storage.expire(ages)
        del everything["bob"]
        assert await left() == {**everything, "ada": False}
        grow_older(50)
        await storage.expire(ages)
        assert await left() == {**everything, "ada": False, "cat": False}
        grow_older(1_000)
        await storage.expire(ages)
        # What cannot be read is kept for as long as any.
        assert await left() == {"ada": False, "unreadable": True}

    async def test_it_takes_writes(self, storage: Storage, left: Left) -> None:
        await storage.probe()
        await storage.probe(writing=True)
        assert left() == []

    async def test_only_a_job_that_was_removed_has_a_tombstone(self, storage: Storage) -> None:
        removed, kept, unknown = await keep(storage), await keep(storage), new_id()
        for _ in range(2):
            await storage.remove(removed)
        await storage.remove(unknown)
        assert [await storage.was_removed(job_id) for job_id in (removed, kept, unknown)] == [True, False, False]
        assert await storage.removed_among([kept, removed, unknown]) == [removed]

    async def test_another_store_than_the_expected_one_is_left_alone(self, storage: Storage, left: Left) -> None:
        identity = await storage.identity()
        assert await storage.find_identity() == identity
        job_id = await keep(storage)
        before = left()
        for expected in (None, "the id of another store"):
            storage.expect(expected)
            for change in (
                keep(storage),
                end(storage, job_id, {}, b"DONE"),
                storage.put(mail_record(new_id()), b"data"),
                storage.delete(record_key(job_id)),
                storage.remove(job_id),
                storage.share(job_id, new_id(), b"record"),
                storage.probe(),
                storage.look_up(new_id()),
                storage.source(new_id()),
                storage.get(mail_record(new_id())),
                storage.was_removed(new_id()),
                storage.records([job_id, new_id()]),
                storage.removed_among([new_id()]),
            ):
                with pytest.raises(WrongStorage) as caught:
                    await change
                assert not caught.value.permanent
        assert left() == before
        storage.expect(identity)
        await keep(storage)

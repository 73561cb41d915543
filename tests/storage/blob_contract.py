"""What a storage owes for blobs of any kind: find, read, create once, list, delete. And the identity of the store."""

import asyncio
import errno
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest

from quickthumb.model.errors import QuickThumbError
from quickthumb.model.job import new_id
from quickthumb.storage import Storage
from quickthumb.storage.contract import BATCH
from quickthumb.storage.errors import BlobGone, DiskFull, StorageUnavailable
from quickthumb.storage.layout import (
    mail_outcome,
    mail_record,
    outcome_key,
    record_key,
    result_key,
    source_key,
    upload_folder,
)
from tests.storage.jobs import (
    Break,
    Left,
    content,
    end,
    found,
    keep,
    listed,
)


class BlobContract:
    """One test for each obligation that concerns blobs."""

    async def test_a_blob_tells_what_is_known_of_it(self, storage: Storage) -> None:
        begun = datetime.now(UTC)
        job_id = await keep(storage, b"the source", b"record")
        await end(storage, job_id, {"a.jpg": b"a result"}, b"outcome")
        for key, length in (
            (source_key(job_id), 10),
            (record_key(job_id), 6),
            (result_key(job_id, "a.jpg"), 8),
            (outcome_key(job_id), 7),
        ):
            blob = await found(storage, key)
            assert (blob.key, blob.length) == (key, length)
            assert abs(blob.modified_at - begun) < timedelta(seconds=60)
            assert blob.version
            assert all(letter in "0123456789abcdef-" for letter in blob.version)
        assert await storage.find(source_key(job_id)) == await storage.source(job_id)
        assert await storage.find(result_key(job_id, "a.jpg")) == await storage.result(job_id, "a.jpg")
        assert await storage.get(record_key(job_id)) == b"record"
        assert await storage.find(source_key(new_id())) is None
        assert await storage.find(upload_folder(job_id)) is None
        assert await storage.find(f"{source_key(job_id)}/below") is None

    async def test_other_bytes_have_another_version(self, storage: Storage) -> None:
        job_id = await keep(storage)
        versions = set()
        for data in (b"first", b"second"):
            await end(storage, job_id, {"a.jpg": data}, b"outcome")
            versions.add((await found(storage, result_key(job_id, "a.jpg"))).version)
            assert await storage.reopen(job_id, b"outcome")
        assert len(versions) == 2

    @pytest.mark.parametrize(
        ("start", "stop"),
        [(0, None), (0, 0), (0, 1), (7, 8), (1, None), (99_999, 100_001), (300_000, 600_000), (999_999, None)],
    )
    async def test_a_range_is_read_from_its_first_byte_up_to_its_last(
        self, storage: Storage, start: int, stop: int | None
    ) -> None:
        data = bytes(range(250)) * 4_000
        blob = await storage.source(await keep(storage, data))
        assert await content(storage, blob, start, stop) == data[start:stop]
        assert await content(storage, blob, len(data)) == b""

    async def test_a_large_blob_is_read_in_blocks(self, storage: Storage) -> None:
        blob = await storage.source(await keep(storage, b"source" * 200_000))
        assert blob is not None
        sizes = [len(block) async for block in storage.read(blob)]
        assert (len(sizes) > 1, sum(sizes)) == (True, blob.length)
        assert all(sizes)

    async def test_an_empty_blob_is_read_too(self, storage: Storage) -> None:
        assert await content(storage, await storage.source(await keep(storage, b""))) == b""

    async def test_many_read_the_same_blob_and_some_give_up(self, storage: Storage) -> None:
        data = b"source" * 200_000
        blob = await storage.source(await keep(storage, data))
        assert blob is not None

        async def give_up() -> bytes:
            async with aclosing(storage.read(blob)) as blocks:
                return await anext(blocks)

        whole, *parts = await asyncio.gather(content(storage, blob), *(give_up() for _ in range(10)))
        assert whole == data
        assert all(data.startswith(part) for part in parts)

    @pytest.mark.parametrize("how", ["removed", "source removed", "replaced"])
    async def test_a_blob_that_vanished_is_told_before_its_first_byte(self, storage: Storage, how: str) -> None:
        job_id = await keep(storage)
        blob = await found(storage, source_key(job_id))
        await (storage.remove_source if how == "source removed" else storage.remove)(job_id)
        if how == "replaced":
            await keep(storage, b"another", job_id=job_id)
        for stop in (None, 1):
            with pytest.raises(BlobGone):
                await content(storage, blob, 0, stop)

    async def test_a_blob_that_vanishes_while_it_is_read_never_ends_early(self, storage: Storage) -> None:
        data = b"source" * 200_000
        job_id = await keep(storage, data)
        blob = await found(storage, source_key(job_id))
        read = b""
        try:
            async with aclosing(storage.read(blob)) as blocks:
                async for block in blocks:
                    read += block
                    await storage.remove(job_id)
        except BlobGone:
            assert data.startswith(read)
        else:
            assert read == data

    async def test_a_blob_is_a_local_file_for_a_while(self, storage: Storage) -> None:
        blob = await found(storage, source_key(await keep(storage, b"the source")))
        async with storage.local(blob) as path, storage.local(blob) as again:
            assert path.read_bytes() == again.read_bytes() == b"the source"
        assert await content(storage, blob) == b"the source"

    async def test_a_blob_that_vanished_is_no_local_file(self, storage: Storage) -> None:
        job_id = await keep(storage)
        blob = await found(storage, source_key(job_id))
        await storage.remove_source(job_id)
        with pytest.raises(FileNotFoundError):
            async with storage.local(blob) as path:
                path.read_bytes()

    async def test_an_object_is_created_once(self, storage: Storage, left: Left) -> None:
        key = mail_record(new_id())
        assert await storage.get(key) is None
        assert await storage.put(key, b"first")
        before = left()
        assert not await storage.put(key, b"second")
        assert await storage.get(key) == b"first"
        assert await content(storage, await found(storage, key)) == b"first"
        assert left() == before

    async def test_of_many_who_create_an_object_one_wins(self, storage: Storage) -> None:
        key = mail_outcome(new_id())
        names = [b"%d" % number for number in range(16)]
        created = await asyncio.gather(*(storage.put(key, name) for name in names))
        assert sum(created) == 1
        assert await storage.get(key) == names[created.index(True)]

    async def test_an_object_can_be_deleted_and_created_again(self, storage: Storage, left: Left) -> None:
        mail_id = new_id()
        await storage.delete(mail_record(mail_id))
        for data in (b"first", b"second"):
            assert await storage.put(mail_record(mail_id), data)
            await storage.put(mail_outcome(mail_id), b"sent")
            assert await storage.get(mail_record(mail_id)) == data
            for key in (mail_record(mail_id), mail_outcome(mail_id)):
                await storage.delete(key)
                assert await storage.get(key) is None
        assert left() == []

    async def test_creating_and_deleting_side_by_side_always_works(self, storage: Storage, left: Left) -> None:
        mail_id = new_id()

        async def turn(key: str) -> None:
            for _ in range(20):
                assert await storage.put(key, b"data")
                await storage.delete(key)

        await asyncio.gather(turn(mail_record(mail_id)), turn(mail_outcome(mail_id)))
        assert left() == []

    @pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, DiskFull), (errno.EIO, StorageUnavailable)])
    async def test_an_object_that_cannot_be_created_leaves_nothing(
        self, storage: Storage, left: Left, break_it: Break, number: int, kind: type[QuickThumbError]
    ) -> None:
        key = mail_record(new_id())
        break_it(number)
        with pytest.raises(kind):
            await storage.put(key, b"data")
        assert await storage.get(key) is None
        assert left() == []

    async def test_a_listing_has_everything_below_its_prefix_once(self, storage: Storage) -> None:
        assert await listed(storage, "mail/") == []
        keys = {mail_record(new_id()): b"x" * number for number in range(15)}
        for key, data in keys.items():
            await storage.put(key, data)
        job_id = await keep(storage)
        blobs = await listed(storage, "mail/")
        assert sorted(blob.key for blob in blobs) == sorted(keys)
        assert all(blob.length == len(keys[blob.key]) for blob in blobs)
        assert {blob.key for blob in await listed(storage, "uploads/")} == {source_key(job_id), record_key(job_id)}
        one = next(iter(keys))
        assert await listed(storage, one.rpartition("/")[0] + "/") == [await found(storage, one)]

    async def test_a_listing_never_has_more_than_a_batch_at_once(self, storage: Storage) -> None:
        keys = [f"mail/000/{number}" for number in range(BATCH + 1)]
        for start in range(0, len(keys), 100):
            await asyncio.gather(*(storage.put(key, b"") for key in keys[start : start + 100]))
        assert sorted(blob.key for blob in await listed(storage, "mail/")) == sorted(keys)

    async def test_a_listing_has_nothing_that_is_on_its_way(self, storage: Storage) -> None:
        async with storage.receive(new_id()) as arrival, storage.workspace(new_id(), "token") as folder:
            await arrival.write(b"source")
            (folder / "a.jpg").write_bytes(b"a")
            assert await listed(storage, "uploads/") == await listed(storage, "processed/") == []

    async def test_a_listing_goes_on_while_objects_come_and_go(self, storage: Storage) -> None:
        keys = [mail_record(new_id()) for _ in range(12)]
        for key in keys:
            await storage.put(key, b"data")
        seen: list[str] = []
        async for batch in storage.list("mail/"):
            seen += [blob.key for blob in batch]
            await storage.delete(max(keys))
            await storage.put(mail_record(new_id()), b"late")
        assert set(seen) >= set(keys) - {max(keys)}
        assert len(seen) == len(set(seen))

    async def test_the_identity_is_made_once(self, storage: Storage) -> None:
        identities = await asyncio.gather(*(storage.identity() for _ in range(16)))
        assert len(set(identities)) == 1
        await keep(storage)
        assert await storage.identity() == identities[0]
        assert identities[0]

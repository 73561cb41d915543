"""A file with other bytes at its start or end: decoders read it as if it had been written so."""

import io
from pathlib import Path


class PatchedFile(io.RawIOBase):
    """The file at `path` from `begin` on, with `head` before it and `tail` behind it. Copies nothing.

    `reason` says in a sentence why the file was patched, for the receipt.
    """

    def __init__(self, path: Path, *, head: bytes = b"", begin: int = 0, tail: bytes = b"", reason: str = "") -> None:
        self.path, self.head, self.begin, self.tail, self.reason = path, head, begin, tail, reason
        self._file = path.open("rb")
        self._tail_start = len(head) + max(0, self._file.seek(0, io.SEEK_END) - begin)
        self._at = 0

    @property
    def last_byte(self) -> bytes:
        """The last byte before the tail; empty if there is none."""
        self._at = max(0, self._tail_start - 1)
        return self._part(1)

    def with_tail(self, tail: bytes) -> "PatchedFile":
        """The same file, opened anew, with another tail."""
        return PatchedFile(self.path, head=self.head, begin=self.begin, tail=tail)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._tail_start + len(self.tail)}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        data = self._part(len(view))
        view[: len(data)] = data
        self._at += len(data)
        return len(data)

    def _part(self, most: int) -> bytes:
        """At most that many bytes from here on, from one of the three parts."""
        if self._at < len(self.head):
            return self.head[self._at : self._at + most]
        if self._at < self._tail_start:
            self._file.seek(self._at - len(self.head) + self.begin)
            return self._file.read(min(most, self._tail_start - self._at))
        start = self._at - self._tail_start
        return self.tail[start : start + most]

    def close(self) -> None:
        self._file.close()
        super().close()

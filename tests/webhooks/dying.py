"""A worker that is killed when it has found that a batch has ended: `python -m tests.webhooks.dying before`, before it
has stored that, or `after`, before anything is queued."""

import os
import signal
import sys

from arq.cli import cli

from quickthumb.model.batch import BatchEnd
from quickthumb.work.batch_ends import BatchEnds

_store = BatchEnds._store


async def _dying(self: BatchEnds, batch_id: str, end: BatchEnd) -> BatchEnd | None:
    if sys.argv[1] == "after":
        await _store(self, batch_id, end)
    os.kill(os.getpid(), signal.SIGKILL)
    return None


if __name__ == "__main__":
    BatchEnds._store = _dying  # type: ignore[method-assign]
    cli(["quickthumb.worker.Settings"])

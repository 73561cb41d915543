"""The end of this process, as the answers that take long see it."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

# How long open requests may take to finish after SIGTERM.
GRACEFUL_SECONDS = 10


class Shutdown:
    """Tells every long answer that the process is to end.

    An answer that waits for something goes out at once with what there is. An answer without end says goodbye and ends.
    """

    def __init__(self) -> None:
        self.begun = False
        self._listening: set[asyncio.Event] = set()

    def begin(self) -> None:
        """Wakes all who listen. Calling it again changes nothing. Call it in the event loop."""
        self.begun = True
        for event in self._listening:
            event.set()

    @contextmanager
    def wakes(self, event: asyncio.Event) -> Iterator[None]:
        """Sets the event when the shutdown begins, until the block is left. Look at `begun` after each wake."""
        self._listening.add(event)
        if self.begun:
            event.set()
        try:
            yield
        finally:
            self._listening.discard(event)

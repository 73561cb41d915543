"""The end of a worker whose threads hang."""

import logging
import os
import signal
import sys

from quickthumb.sandbox.threads import DaemonThreads

log = logging.getLogger("quickthumb.worker")

EXIT_CODE = 1


def begin() -> None:
    """Asks arq to stop, as an operator would: it takes no more jobs, and its others go back to the queue."""
    log.critical("all threads of this worker hang: it takes no more jobs, and ends to be replaced")
    signal.raise_signal(signal.SIGTERM)


def complete(threads: DaemonThreads) -> None:
    """When everything else is closed, ends the process at once if a thread is still at work: Python would take its
    own machinery apart around it."""
    if not threads.busy:
        return
    log.warning("%d threads are still at work, and end with the worker", threads.busy)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(EXIT_CODE if threads.all_abandoned else 0)

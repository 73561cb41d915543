"""What a listener to events is sent, one item at a time. `web/events.py` writes them as server-sent events."""

from dataclasses import dataclass

from quickthumb.model.batch import BatchEnd
from quickthumb.model.job import Job, Result
from quickthumb.queue.events import Cursor, Event


@dataclass(frozen=True, slots=True)
class Opened:
    """The stream begins."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Events were lost. Snapshots of the jobs follow, if jobs were named."""


@dataclass(frozen=True, slots=True)
class Reached:
    """Everything up to `cursor` was sent: a listener can resume from here."""

    cursor: Cursor


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A job as it is."""

    job: Job


@dataclass(frozen=True, slots=True)
class Changed:
    """A job changed."""

    event: Event


@dataclass(frozen=True, slots=True)
class Ready:
    """A result is ready. The `cursor` is None if more of the same event follows."""

    cursor: Cursor | None
    job_id: str
    result: Result


@dataclass(frozen=True, slots=True)
class Ended:
    """A job has ended. The `cursor` is None within what begins with a snapshot."""

    cursor: Cursor | None
    job: Job


@dataclass(frozen=True, slots=True)
class BatchEnded:
    """A batch has ended. The `cursor` is None at the end of a stream that follows only this batch."""

    cursor: Cursor | None
    batch_id: str
    end: BatchEnd


@dataclass(frozen=True, slots=True)
class Alive:
    """Nothing has happened for a while."""


@dataclass(frozen=True, slots=True)
class Goodbye:
    """This process ends; another one can continue."""


Told = Opened | Reset | Reached | Snapshot | Changed | Ready | Ended | BatchEnded | Alive | Goodbye

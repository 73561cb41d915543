"""Why jobs FAILED: how many did in a span of time and how many are kept, by error, with what the error means."""

from collections.abc import Mapping
from dataclasses import dataclass

from quickthumb.model.errors import QuickThumbError, catalogue
from quickthumb.notify import errors as notify_errors
from quickthumb.queue.failures import Kept, KeptFailures
from quickthumb.sandbox import errors as sandbox_errors
from quickthumb.service.stats import Window
from quickthumb.work import errors as work_errors

# An error is in the catalogue once its module is imported.
RAISED_BY_WORKERS = (notify_errors, sandbox_errors, work_errors)
# How many of the newest FAILED jobs are looked at.
NEWEST = 1_000


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """The jobs that FAILED with one error: how many in a span of time, and how many of those that were looked at are
    `kept`, with an example of these. `title`, `meaning` and `retryable` are None if no error of this release has the
    code."""

    code: str
    title: str | None
    meaning: str | None
    retryable: bool | None
    count: int
    kept: Kept | None


@dataclass(frozen=True, slots=True)
class Failures:
    """The failures of the last `seconds` and those that are kept, by error, the most frequent first. `kept` jobs are
    FAILED now; the newest `counted` were looked at."""

    seconds: float
    kept: int
    counted: int
    groups: tuple[FailureGroup, ...]


def failures_of(window: Window, found: KeptFailures) -> Failures:
    """What happened in a window together with what is kept."""
    kinds = {kind.code: kind for kind in catalogue()}
    codes = window.failures.keys() | found.by_code.keys()
    groups = [_group(code, kinds.get(code), window.failures, found.by_code.get(code)) for code in codes]
    return Failures(window.seconds, found.kept, found.counted, tuple(sorted(groups, key=_frequency)))


def _group(code: str, kind: type[QuickThumbError] | None, counts: Mapping[str, int], kept: Kept | None) -> FailureGroup:
    count = counts.get(code, 0)
    if kind is None:
        return FailureGroup(code, None, None, None, count, kept)
    meaning = " ".join((kind.__doc__ or "").split())
    return FailureGroup(code, kind.title, meaning, kind.retry_may_help or not kind.permanent, count, kept)


def _frequency(group: FailureGroup) -> tuple[int, int, str]:
    return -group.count, -(group.kept.count if group.kept else 0), group.code

"""What a listener to events knows of the jobs that it follows."""

from collections.abc import Iterable

from quickthumb.model.job import Job, Status
from quickthumb.queue.events import Event

State = tuple[Status, int]


class Followed:
    """The jobs that have not ended yet, as far as the listener knows: the status of each with the number of its last
    attempt, and the results that were ready before its end. Without `is_limited`, the listener follows all jobs.
    """

    def __init__(self, *, is_limited: bool) -> None:
        self._is_limited = is_limited
        self._open: dict[str, State | None] = {}
        self._missing_since: dict[str, float] = {}
        self._told_results: dict[str, set[str]] = {}

    @property
    def is_over(self) -> bool:
        """Whether all jobs have ended."""
        return self._is_limited and not self._open

    @property
    def job_ids(self) -> list[str]:
        """The named jobs that have not ended."""
        return list(self._open)

    def has(self, job_id: str) -> bool:
        """Whether it is one of the jobs, and has not ended."""
        return not self._is_limited or job_id in self._open

    def expect(self, job_ids: Iterable[str]) -> None:
        """Starts over, with these jobs."""
        self._open = dict.fromkeys(job_ids)
        self._missing_since.clear()
        self._told_results.clear()

    def see(self, job: Job) -> None:
        """The listener has been shown the job."""
        if self._is_limited:
            self._open[job.id] = (job.status, job.attempts)
            self._missing_since.pop(job.id, None)

    def is_news(self, job: Job) -> bool:
        """Whether the job has changed since."""
        return self._open.get(job.id) != (job.status, job.attempts)

    def miss(self, job_id: str, now: float) -> float:
        """Redis does not know the job. Returns for how many seconds it has not."""
        return now - self._missing_since.setdefault(job_id, now)

    def note(self, event: Event) -> None:
        """The listener learns that the job changed without ending, or that it was removed."""
        if event.status is None:
            self.end(event.job_id)
            return
        if event.status is Status.IN_PROGRESS:
            self._told_results.pop(event.job_id, None)  # the attempt makes all of them anew
        if self._is_limited:
            before = self._open.get(event.job_id)
            attempts = event.attempt if event.attempt is not None else before[1] if before else 0
            self._open[event.job_id] = (event.status, attempts)

    def tell_result(self, job_id: str, name: str) -> None:
        """The listener learns of a result before the end of the job."""
        self._told_results.setdefault(job_id, set()).add(name)

    def end(self, job_id: str) -> set[str]:
        """The job has ended. Returns the names of the results that the listener knows already."""
        self._open.pop(job_id, None)
        self._missing_since.pop(job_id, None)
        return self._told_results.pop(job_id, set())

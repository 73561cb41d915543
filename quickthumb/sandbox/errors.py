"""Errors of renderings that exceed a limit of the sandbox or crash in it."""

from typing import ClassVar

from quickthumb.model.errors import QuickThumbError


class JobTimedOut(QuickThumbError):
    """The image took longer than the time limits, in a sandbox process as well. A retry rarely helps."""

    code, status, title = "job_timed_out", 422, "The image took too long to process"


class LargeJobsWaiting(QuickThumbError):
    """Another large job is already waiting for its turn at the worker, so this one waits in the queue. Small jobs
    continue meanwhile."""

    code, status, title, permanent = "large_jobs_waiting", 503, "Other large jobs come first", False
    # Nothing is wrong, so a job may wait like this as long as it takes.
    waits_its_turn: ClassVar[bool] = True
    retry_after_seconds = 2


class DecoderCrashed(QuickThumbError):
    """The library that decodes the image crashed, so the file is probably damaged or hostile."""

    code, status, title = "decoder_crashed", 422, "The image crashed its decoder"


class MemoryExceeded(QuickThumbError):
    """Rendering the image needs more memory than `QUARANTINE_MEMORY_BYTES`. Send a smaller image."""

    code, status, title = "memory_exceeded", 422, "The image needs too much memory"

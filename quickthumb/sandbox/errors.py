"""Errors of renderings that exceed a limit of the sandbox or crash in it."""

from quickthumb.model.errors import QuickThumbError


class JobTimedOut(QuickThumbError):
    code, status, title = "job_timed_out", 422, "The image took too long to process"


class DecoderCrashed(QuickThumbError):
    code, status, title = "decoder_crashed", 422, "The image crashed its decoder"


class MemoryExceeded(QuickThumbError):
    code, status, title = "memory_exceeded", 422, "The image needs too much memory"

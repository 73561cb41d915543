"""How rendering may fail at the bounds of the sandbox."""

from quickthumb.model.errors import QuickThumbError


class JobTimedOut(QuickThumbError):
    code, status, title = "job_timed_out", 422, "The image took too long to process"


class DecoderCrashed(QuickThumbError):
    code, status, title = "decoder_crashed", 422, "The image makes its decoder crash"


class MemoryExceeded(QuickThumbError):
    code, status, title = "memory_exceeded", 422, "The image needs too much memory"

"""How an attempt may end that no handler ended."""

from quickthumb.model.errors import QuickThumbError


class TooManyAttempts(QuickThumbError):
    code, status, title = "too_many_attempts", 500, "The job was tried too often"

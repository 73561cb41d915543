"""How an attempt may end that no handler ended."""

from quickthumb.model.errors import QuickThumbError


class TooManyAttempts(QuickThumbError):
    code, status, title = "too_many_attempts", 500, "The job was tried too often"


class LeaseLost(Exception):
    """The item is no longer this worker's: it was cancelled, removed or taken over. Nothing of it is to be touched."""


class Busy(Exception):
    """This worker makes as many attempts of the kind as it may at once; the item was not claimed."""

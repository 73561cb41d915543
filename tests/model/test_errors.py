"""What operators are told of an error."""

import errno

import pytest
from redis.exceptions import ResponseError

from quickthumb.model.errors import Cause, InternalError, for_operators


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (None, "It failed."),
        (OSError(errno.EACCES, "Permission denied", "/data/a"), "It failed: EACCES (Permission denied) at /data/a"),
        (OSError(errno.ENOSPC, "No space left on device"), "It failed: ENOSPC (No space left on device)"),
        (ResponseError("OOM command not allowed"), "It failed: OOM command not allowed"),
        (Cause("/data is another folder"), "It failed: /data is another folder"),
        (TimeoutError(), "It failed: TimeoutError"),
    ],
)
def test_the_cause_of_an_error_is_told_in_one_line(cause: Exception | None, words: str) -> None:
    error = InternalError("It failed.")
    error.__cause__ = cause
    assert for_operators(error) == words
    assert error.detail == "It failed."

"""How much of its fields one upload may still send."""

from quickthumb.config import IntakeLimits
from quickthumb.intake.errors import TooManyBytes
from quickthumb.model.errors import MalformedRequest

__all__ = ["FieldAllowance", "IntakeLimits"]


class FieldAllowance:
    """What is left of an upload's fields; asked before anything of them is kept, so that memory stays bounded."""

    def __init__(self, limits: IntakeLimits) -> None:
        self._limits = limits
        self._fields = 0
        self._bytes = 0

    def take_fields(self, count: int) -> None:
        """Raises MalformedRequest if there are too many."""
        self._fields += count
        if self._fields > self._limits.max_fields:
            raise MalformedRequest(f"The request has too many fields; at most {self._limits.max_fields} are accepted.")

    def take_bytes(self, count: int) -> None:
        """Raises TooManyBytes if names and values together are too long."""
        self._bytes += count
        if self._bytes > self._limits.max_fields_bytes:
            raise TooManyBytes(
                f"The request's fields are too long; beside the image, "
                f"at most {self._limits.max_fields_bytes} bytes are accepted."
            )

"""A body that is nothing but the image."""

from collections.abc import Iterable, Mapping

from quickthumb.intake.events import Event, ImageBegins, ImageBytes
from quickthumb.intake.limits import IntakeLimits


class RawBody:
    """The way of `image/*` and `application/octet-stream`."""

    def __init__(self, parameters: Mapping[str, str], limits: IntakeLimits) -> None:
        self._begun = False

    @staticmethod
    def most_bytes(limits: IntakeLimits) -> int:
        return limits.max_upload_bytes

    def feed(self, data: bytes) -> Iterable[Event]:
        if not self._begun:
            self._begun = True
            yield ImageBegins()
        yield ImageBytes(data)

    def close(self) -> Iterable[Event]:
        if not self._begun:
            yield ImageBegins()

"""From which URLs clients may have images fetched."""

from collections.abc import Sequence

from quickthumb.model.errors import QuickThumbError
from quickthumb.model.opening import UrlPattern
from quickthumb.outbound.guard import Place, split_url


class UrlNotAllowed(QuickThumbError):
    """The setting `URL_ALLOWED` has no pattern for the URL, or for one that it redirects to. By default it admits no
    URL."""

    code, status, title = "url_not_allowed", 403, "Images may not be fetched from this URL"


class AllowedUrls:
    """The URLs that match one of `patterns`."""

    def __init__(self, patterns: Sequence[UrlPattern] = ()) -> None:
        self._patterns = tuple(patterns)

    def check(self, url: str) -> Place:
        """Takes the URL apart. Raises UrlNotAllowed, and OutboundRefused for one that is not valid."""
        place = split_url(url)
        if any(pattern.matches(place.scheme, place.host, place.port, place.path) for pattern in self._patterns):
            return place
        if not self._patterns:
            raise UrlNotAllowed("This service fetches no images.", field="url")
        raise UrlNotAllowed(f"This service fetches no images from such URLs at {place.host}.", field="url")

"""The errors of HTTP itself."""

from quickthumb.model.errors import QuickThumbError


class NotFound(QuickThumbError):
    """The service has nothing at this URL. `/docs` lists every URL that it has."""

    code, status, title = "not_found", 404, "No such URL"


class MethodNotAllowed(QuickThumbError):
    """The URL exists, but not with this method. The header `Allow` lists the methods that it has."""

    code, status, title = "method_not_allowed", 405, "This URL does not allow this method"


class RangeNotSatisfiable(QuickThumbError):
    """Every range in the `Range` header begins behind the end of the file."""

    code, status, title = "range_not_satisfiable", 416, "The requested range is outside the file"

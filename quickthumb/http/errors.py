"""The errors of HTTP itself."""

from quickthumb.model.errors import QuickThumbError


class NotFound(QuickThumbError):
    code, status, title = "not_found", 404, "No such URL"


class MethodNotAllowed(QuickThumbError):
    code, status, title = "method_not_allowed", 405, "This URL does not allow this method"


class RangeNotSatisfiable(QuickThumbError):
    code, status, title = "range_not_satisfiable", 416, "The requested range is outside the file"

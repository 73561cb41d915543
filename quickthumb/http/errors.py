"""The errors of HTTP itself."""

from quickthumb.model.errors import QuickThumbError


class NotFound(QuickThumbError):
    """The service has nothing at this URL. `/docs` lists all its URLs."""

    code, status, title = "not_found", 404, "No such URL"


class MethodNotAllowed(QuickThumbError):
    """The URL exists, but not with this method. The header `Allow` lists the methods that it has."""

    code, status, title = "method_not_allowed", 405, "This URL does not allow this method"


class RangeNotSatisfiable(QuickThumbError):
    """Every range in the `Range` header begins after the end of the file."""

    code, status, title = "range_not_satisfiable", 416, "The requested range is outside the file"


class HostNotAllowed(QuickThumbError):
    """The request names a host that the service does not answer to. By default it answers to the IP addresses of
    machines (not to 0.0.0.0), to `localhost` and to `HOST`. If clients should reach the service by the name in
    `detail`, add it to `ALLOWED_HOSTS`. Without this check, a web site could point its name at your machine, and use
    the service through your browser (DNS rebinding)."""

    code, status, title = "host_not_allowed", 421, "The service does not answer to this host"


class InvalidSignature(QuickThumbError):
    """The signature of the URL is not valid: it has expired, was made for another URL or with another secret, or the
    URL was changed. Ask for a new one."""

    code, status, title = "invalid_signature", 403, "The URL is not signed for this"


class InvalidPolicy(QuickThumbError):
    """The upload policy is not valid: it was changed, has expired, is for pages of another origin, was signed with
    another secret, or is malformed. `detail` says which. Ask your backend for a new one."""

    code, status, title = "invalid_policy", 403, "The upload policy does not allow this"


class CrossOrigin(QuickThumbError):
    """A page of another origin sent a request that changes something, or asked whether it may. Only pages of this
    service, and of the origins that its setting CORS_ORIGINS names, may do so. Other programs are not affected: send
    the image from your server, or serve the page from the same origin as the service."""

    code, status, title = "cross_origin", 403, "Pages of other origins may not do this"

"""The web's protocol with a shorter deadline for heads, for tests that are to be over sooner."""

from quickthumb.web.protocol import BoundedProtocol


class HastyProtocol(BoundedProtocol):
    head_seconds = 2.0

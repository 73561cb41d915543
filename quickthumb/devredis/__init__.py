"""The Redis that QuickThumb brings along, so that one command runs the service on a bare machine.

It listens on a private unix socket only and keeps an append-only file. This package knows where a server binary may
be found, how to start it safely and when it is ready; it does not know the configuration or who supervises it.
"""

from quickthumb.devredis.binary import RedisCannotStart, find_server
from quickthumb.devredis.server import EmbeddedRedis

__all__ = ["EmbeddedRedis", "RedisCannotStart", "find_server"]

"""The embedded Redis, which lets one command run the whole service on a machine without a Redis.

It listens only on a private unix socket, and writes an append-only file. This package finds a server binary, prepares
its folders and knows when it is ready. It does not read the configuration, and it leaves starting and supervising the
process to others.
"""

from quickthumb.devredis.advisories import warning_for
from quickthumb.devredis.binary import RedisCannotStart, Release, Server, find_server
from quickthumb.devredis.server import EmbeddedRedis

__all__ = ["EmbeddedRedis", "RedisCannotStart", "Release", "Server", "find_server", "warning_for"]

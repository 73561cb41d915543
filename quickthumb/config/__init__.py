"""The configuration: one frozen object in sections, in which each setting is declared once.

Only the roots (`app`, `worker`, `cli`) load it; the parts below them receive their own section, or plain values.
"""

from quickthumb.config.load import ENVIRONMENT_PREFIX, ConfigError, load
from quickthumb.config.sections import IntakeLimits, SmtpServer
from quickthumb.config.settings import BUILT_IN_PRESETS, LONGEST_SOCKET_PATH_BYTES, SETTINGS, Config, Setting

__all__ = [
    "BUILT_IN_PRESETS",
    "ENVIRONMENT_PREFIX",
    "LONGEST_SOCKET_PATH_BYTES",
    "SETTINGS",
    "Config",
    "ConfigError",
    "IntakeLimits",
    "Setting",
    "SmtpServer",
    "load",
]

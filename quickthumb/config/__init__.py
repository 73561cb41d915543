"""The configuration: one frozen object, divided into sections. Each setting is declared once, in one of them.

Only the roots (`app`, `worker`, `cli`) load it. The parts below them receive their own section, or plain values.
"""

from quickthumb.config.load import ConfigError, load, settings_file
from quickthumb.config.sections import BatchLimits, IntakeLimits, SmtpServer, TenantSettings, TroubleLimits, WebSettings
from quickthumb.config.settings import (
    BUILT_IN_PRESETS,
    ENVIRONMENT_PREFIX,
    LONGEST_SOCKET_PATH_BYTES,
    SETTINGS,
    Config,
    Setting,
)

__all__ = [
    "BUILT_IN_PRESETS",
    "ENVIRONMENT_PREFIX",
    "LONGEST_SOCKET_PATH_BYTES",
    "SETTINGS",
    "BatchLimits",
    "Config",
    "ConfigError",
    "IntakeLimits",
    "Setting",
    "SmtpServer",
    "TenantSettings",
    "TroubleLimits",
    "WebSettings",
    "load",
    "settings_file",
]

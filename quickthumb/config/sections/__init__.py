"""Declares every setting once: its name, type, default, unit and meaning, in the section of the part that uses it.

Settings have flat names (`MAX_UPLOAD_BYTES`); the sections are for the code (`config.intake.max_upload_bytes`). A
setting has the name of its field, in capitals. Where the field has a shorter name, because the section says the rest,
`Called` gives the name of the setting.
"""

from quickthumb.config.sections.email import EmailSettings, SmtpServer
from quickthumb.config.sections.outbound import OutboundSettings
from quickthumb.config.sections.storage import RedisSettings, RetentionSettings, StorageSettings
from quickthumb.config.sections.tenants import TenantSettings
from quickthumb.config.sections.web import BatchLimits, IntakeLimits, LogSettings, WebSettings
from quickthumb.config.sections.work import QueueSettings, SandboxSettings, TroubleLimits, WorkerSettings

__all__ = [
    "BatchLimits",
    "EmailSettings",
    "IntakeLimits",
    "LogSettings",
    "OutboundSettings",
    "QueueSettings",
    "RedisSettings",
    "RetentionSettings",
    "SandboxSettings",
    "SmtpServer",
    "StorageSettings",
    "TenantSettings",
    "TroubleLimits",
    "WebSettings",
    "WorkerSettings",
]

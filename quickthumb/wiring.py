"""Parts that more than one root puts together, from the configuration."""

from redis.asyncio import Redis

from quickthumb.config import SMTP_PORTS, Config
from quickthumb.notify.contract import Mailer
from quickthumb.notify.outbox import Outbox
from quickthumb.notify.smtp import SmtpMailer, SmtpServer
from quickthumb.queue import keys
from quickthumb.queue.store import JobStore
from quickthumb.queue.upkeep import JobUpkeep
from quickthumb.service.repair import Housekeeper
from quickthumb.storage import FileStorage, RetentionAges

# What was begun so long ago and is neither kept nor cleared away, nobody is working on any more.
UNFINISHED_SECONDS = 3600.0


def mailer(config: Config) -> Mailer:
    """What emails are sent with: the mail server of the settings, or a folder where there is none."""
    if config.smtp_host is None:
        return Outbox(config.data_dir / "outbox")
    return SmtpMailer(
        SmtpServer(
            host=config.smtp_host,
            port=config.smtp_port or SMTP_PORTS[config.smtp_tls],
            tls=config.smtp_tls,
            user=config.smtp_user,
            password=config.smtp_password.get_secret_value() if config.smtp_password else None,
        )
    )


def housekeeper(config: Config, redis: Redis, store: JobStore) -> Housekeeper:
    """Whoever keeps Redis true to the disk, and removes what has been kept long enough."""
    longest = max(config.upload_total_seconds, config.job_timeout_seconds)
    ages = RetentionAges(
        ended_seconds=config.retention_seconds,
        source_seconds=config.source_retention_seconds,
        unended_seconds=keys.WAITING_SECONDS,
        unfinished_seconds=max(UNFINISHED_SECONDS, 2 * longest),
    )
    upkeep = JobUpkeep(redis, retention_seconds=config.retention_seconds)
    storage = FileStorage(config.data_dir)
    return Housekeeper(store, upkeep, storage, ages, sweep_interval_seconds=config.sweep_seconds)

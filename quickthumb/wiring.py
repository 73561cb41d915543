"""Parts that more than one root puts together, from the configuration."""

from redis.asyncio import Redis

from quickthumb.config import Config
from quickthumb.notify.mailer import Mailer, Outbox, SmtpMailer
from quickthumb.queue import keys
from quickthumb.queue.store import JobStore
from quickthumb.queue.upkeep import JobUpkeep
from quickthumb.service.repair import Housekeeper
from quickthumb.storage import Ages, FileStorage

# What was begun so long ago and is neither kept nor cleared away, nobody is working on any more.
UNFINISHED_SECONDS = 3600.0


def mailer(config: Config) -> Mailer:
    """What emails are sent with: the mail server of the settings, or a folder where there is none."""
    if config.smtp.host is None:
        return Outbox(config.storage.data_dir / "outbox")
    return SmtpMailer(config.smtp)


def housekeeper(config: Config, redis: Redis, store: JobStore) -> Housekeeper:
    """Whoever keeps Redis true to the disk, and removes what has been kept long enough."""
    longest = max(config.intake.total_seconds, config.sandbox.job_timeout_seconds)
    ages = Ages(
        ended_seconds=config.retention.job_seconds,
        source_seconds=config.retention.source_seconds,
        unended_seconds=keys.WAITING_SECONDS,
        unfinished_seconds=max(UNFINISHED_SECONDS, 2 * longest),
    )
    upkeep = JobUpkeep(redis, retention_seconds=config.retention.job_seconds)
    storage = FileStorage(config.storage.data_dir)
    return Housekeeper(store, upkeep, storage, ages, sweep_interval_seconds=config.retention.sweep_seconds)

"""Parts that more than one root puts together, from the configuration."""

from redis.asyncio import Redis

from quickthumb.config import Config
from quickthumb.notify.mailer import Mailer, Outbox, SmtpMailer
from quickthumb.queue.emails import EmailStore
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import WAITING_SECONDS
from quickthumb.queue.repair import RepairLead
from quickthumb.service.emails import EmailLedger
from quickthumb.service.repair import JobLedger, Repairer
from quickthumb.storage import FileStorage, RetentionAges

# What was begun so long ago and is neither kept nor cleared away, nobody is working on any more.
UNFINISHED_SECONDS = 3600.0


def mailer(config: Config) -> Mailer:
    """What emails are sent with: the mail server of the settings, or a folder where there is none."""
    if config.smtp.host is None:
        return Outbox(config.storage.data_dir / "outbox")
    return SmtpMailer(config.smtp)


def repairer(config: Config, redis: Redis) -> Repairer:
    """What keeps Redis true to the storage, and removes what was kept long enough."""
    longest = max(config.intake.total_seconds, config.sandbox.job_timeout_seconds)
    ages = RetentionAges(
        ended_seconds=config.retention.job_seconds,
        source_seconds=config.retention.source_seconds,
        unended_seconds=WAITING_SECONDS,
        unfinished_seconds=max(UNFINISHED_SECONDS, 2 * longest),
    )
    storage = FileStorage(config.storage.data_dir)
    ledgers = (
        JobLedger(JobStore(redis, retention_seconds=config.retention.job_seconds), storage, ages),
        EmailLedger(EmailStore(redis), storage),
    )
    return Repairer(RepairLead(redis), ledgers, sweep_interval_seconds=config.retention.sweep_seconds)

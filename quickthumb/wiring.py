"""Parts that more than one root puts together, from the configuration."""

from redis.asyncio import Redis

from quickthumb.config import SMTP_PORTS, Config
from quickthumb.notify.contract import Mailer
from quickthumb.notify.outbox import Outbox
from quickthumb.notify.smtp import SmtpMailer, SmtpServer
from quickthumb.queue.emails import EmailStore
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import WAITING_SECONDS
from quickthumb.queue.repair import RepairLead
from quickthumb.service.emails import EmailLedger
from quickthumb.service.repair import JobLedger, Repairer
from quickthumb.storage import Ages, FileStorage

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


def repairer(config: Config, redis: Redis) -> Repairer:
    """What keeps Redis true to the storage, and removes what was kept long enough."""
    longest = max(config.upload_total_seconds, config.job_timeout_seconds)
    ages = Ages(
        ended_seconds=config.retention_seconds,
        source_seconds=config.source_retention_seconds,
        unended_seconds=WAITING_SECONDS,
        unfinished_seconds=max(UNFINISHED_SECONDS, 2 * longest),
    )
    storage = FileStorage(config.data_dir)
    ledgers = (
        JobLedger(JobStore(redis, retention_seconds=config.retention_seconds), storage, ages),
        EmailLedger(EmailStore(redis), storage),
    )
    return Repairer(RepairLead(redis), ledgers, sweep_interval_seconds=config.sweep_seconds)

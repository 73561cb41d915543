"""Parts that more than one root builds from the configuration."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.asyncio import Redis

from quickthumb.config import Config
from quickthumb.config.secrecy import unreadable
from quickthumb.notify.mailer import Mailer, Outbox, SmtpMailer
from quickthumb.outbound.client import OutboundClient
from quickthumb.outbound.guard import Guard
from quickthumb.queue.deliveries import DeliveryStore
from quickthumb.queue.emails import EmailStore
from quickthumb.queue.idempotency import Idempotency
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import WAITING_SECONDS, Keys
from quickthumb.queue.rates import EmailRates
from quickthumb.queue.repair import RepairLead, StorageMark
from quickthumb.queue.watch import JobWatch
from quickthumb.service.accept import Acceptance
from quickthumb.service.emails import EmailLedger, MailService
from quickthumb.service.guard import StorageGuard
from quickthumb.service.jobs import ImageService
from quickthumb.service.originals import Originals
from quickthumb.service.presets import read_presets
from quickthumb.service.repair import JobLedger, Repairer
from quickthumb.service.shutdown import Shutdown
from quickthumb.service.sources import SourceIntake
from quickthumb.service.submit import Submission
from quickthumb.service.waits import Waits
from quickthumb.service.webhooks import DeliveryLedger, WebhookService
from quickthumb.storage import RetentionAges, Storage
from quickthumb.storage.privacy import closed_to_others
from quickthumb.work.outbox import WebhookOutbox
from quickthumb.work.webhooks import Webhooks

# The shortest age at which an unfinished upload or workspace counts as abandoned.
UNFINISHED_SECONDS = 3600.0


@contextmanager
def private_process(config: Config) -> Iterator[None]:
    """Within the block, other users may not read what this process writes, nor other processes what it knows."""
    with closed_to_others(config.storage.data_dir), unreadable():
        yield


def mailer(config: Config) -> Mailer:
    """The mailer that sends emails: through the configured mail server, or into a folder if there is none."""
    if config.smtp.host is None:
        return Outbox(config.storage.data_dir / "outbox")
    return SmtpMailer(config.smtp)


def storage_guard(config: Config, redis: Redis, storage: Storage) -> StorageGuard:
    """The guard that compares a storage with the one that Redis belongs to."""
    return StorageGuard(storage, StorageMark(redis, Keys(config.redis.prefix)))


def outbound_client(config: Config) -> OutboundClient:
    """The client for requests to other servers."""
    return OutboundClient(Guard(config.outbound.openings))


def webhook_outbox(config: Config, redis: Redis, storage: Storage) -> WebhookOutbox:
    """What knows the webhooks, and queues the events that are owed to them. One for each process."""
    return WebhookOutbox(DeliveryStore(redis, Keys(config.redis.prefix)), Webhooks(storage), storage)


def webhook_service(config: Config, redis: Redis, storage: Storage, webhooks: Webhooks) -> WebhookService:
    """The verbs on webhooks."""
    keys = Keys(config.redis.prefix)
    store = JobStore(redis, retention_seconds=config.retention.job_seconds, keys=keys)
    return WebhookService(webhooks, DeliveryStore(redis, keys), store, storage)


def image_service(
    config: Config,
    redis: Redis,
    storage: Storage,
    watch: JobWatch,
    outbox: WebhookOutbox,
    shutdown: Shutdown | None = None,
) -> ImageService:
    """The verbs on images and jobs."""
    keys = Keys(config.redis.prefix)
    store = JobStore(redis, retention_seconds=config.retention.job_seconds, keys=keys)
    sources = SourceIntake(storage, config.intake, config.imaging)
    acceptance = Acceptance(store, storage, Idempotency(redis, keys), max_queued=config.queue.max_queued)
    submission = Submission(
        sources,
        acceptance,
        read_presets(config.presets, config.imaging.max_outputs),
        limits=config.imaging,
        budget_bytes=config.sandbox.decode_budget_bytes,
        webhook_patterns=config.outbound.webhook_patterns,
    )
    waits = Waits(config.web.max_waits, config.web.max_waits_per_address)
    originals = Originals(storage, keeps_location=config.web.original_metadata == "keep")
    return ImageService(store, storage, watch, submission, shutdown, waits, originals, outbox)


def mail_service(config: Config, redis: Redis, storage: Storage) -> MailService:
    """The verbs on emails."""
    keys, email = Keys(config.redis.prefix), config.email
    rates = EmailRates(redis, most=email.per_hour, most_per_mailbox=email.per_address_per_hour, keys=keys)
    return MailService(EmailStore(redis, keys), storage, rates, allowed=email.allowed, max_queued=email.max_queued)


def repairer(config: Config, redis: Redis, storage: Storage, outbox: WebhookOutbox | None = None) -> Repairer:
    """The repairer, which makes Redis agree with the storage and removes what has expired."""
    outbox = outbox or webhook_outbox(config, redis, storage)
    longest = max(config.intake.total_seconds, config.sandbox.job_timeout_seconds, config.sandbox.quarantine_seconds)
    ages = RetentionAges(
        ended_seconds=config.retention.job_seconds,
        source_seconds=config.retention.source_seconds,
        unended_seconds=WAITING_SECONDS,
        unfinished_seconds=max(UNFINISHED_SECONDS, 2 * longest),
    )
    keys = Keys(config.redis.prefix)
    ledgers = (
        JobLedger(JobStore(redis, retention_seconds=config.retention.job_seconds, keys=keys), storage, ages, outbox),
        EmailLedger(EmailStore(redis, keys), storage),
        DeliveryLedger(DeliveryStore(redis, keys)),
    )
    return Repairer(RepairLead(redis, keys), ledgers, sweep_interval_seconds=config.retention.sweep_seconds)

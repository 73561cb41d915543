"""Parts that more than one root builds from the configuration."""

from redis.asyncio import Redis

from quickthumb.config import Config
from quickthumb.model.priority import LONGEST_AHEAD_SECONDS
from quickthumb.notify.mailer import Mailer, Outbox, SmtpMailer
from quickthumb.outbound import Guard, OutboundClient
from quickthumb.outbound.allowed import AllowedUrls
from quickthumb.queue.batches import BatchJobs
from quickthumb.queue.deliveries import DeliveryStore
from quickthumb.queue.emails import EmailStore
from quickthumb.queue.events import EventLog
from quickthumb.queue.idempotency import Idempotency
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import WAITING_SECONDS, Keys
from quickthumb.queue.policies import PolicyClaims
from quickthumb.queue.quotas import QuotaStore
from quickthumb.queue.rates import EmailRates
from quickthumb.queue.repair import RepairLead, StorageMark
from quickthumb.queue.watch import JobWatch
from quickthumb.service.accept import Acceptance
from quickthumb.service.batch_records import BatchRecords
from quickthumb.service.batches import Batches
from quickthumb.service.emails import EmailLedger, MailService
from quickthumb.service.events import EventService
from quickthumb.service.guard import StorageGuard
from quickthumb.service.jobs import ImageService
from quickthumb.service.originals import Originals
from quickthumb.service.policies import PolicyUses
from quickthumb.service.quotas import Limiter
from quickthumb.service.repair import JobLedger, Repairer
from quickthumb.service.shutdown import Shutdown
from quickthumb.service.sources import SourceIntake
from quickthumb.service.submit import Submission
from quickthumb.service.waits import Waits
from quickthumb.service.webhooks import DeliveryLedger, WebhookService
from quickthumb.starting import presets_of as presets_of
from quickthumb.starting import private_process as private_process
from quickthumb.storage import RetentionAges, Storage
from quickthumb.work.outbox import WebhookOutbox
from quickthumb.work.webhooks import Webhooks

# The shortest age at which an unfinished upload or workspace counts as abandoned.
UNFINISHED_SECONDS = 3600.0


def mailer(config: Config) -> Mailer:
    """The mailer that sends emails: through the configured mail server, or into a folder if there is none."""
    if config.smtp.host is None:
        return Outbox(config.storage.data_dir / "outbox")
    return SmtpMailer(config.smtp)


def outbound_client(config: Config) -> OutboundClient:
    """The client for requests to other servers, which stays out of the own network."""
    return OutboundClient(Guard(config.outbound.openings))


def allowed_urls(config: Config) -> AllowedUrls:
    """The URLs from which images may be fetched."""
    return AllowedUrls(config.outbound.url_patterns)


def storage_guard(config: Config, redis: Redis, storage: Storage) -> StorageGuard:
    """The guard that compares a storage with the one that Redis belongs to."""
    return StorageGuard(storage, StorageMark(redis, Keys(config.redis.prefix)))


def job_store(config: Config, redis: Redis) -> JobStore:
    """The jobs in Redis, which forgets them after the configured times."""
    policy = config.retention_policy
    return JobStore(
        redis,
        retention_seconds=policy.general.job_seconds,
        source_seconds=policy.general.source_seconds,
        tenants_seconds={tenant: each.job_seconds for tenant, each in policy.tenants.items()},
        tenants_source_seconds={tenant: each.source_seconds for tenant, each in policy.tenants.items()},
        keys=Keys(config.redis.prefix),
    )


def limiter_of(config: Config, redis: Redis) -> Limiter:
    """What applies the quotas of the settings and of keys."""
    tenants = {tenant: settings.quotas for tenant, settings in config.tenants.items()}
    return Limiter(QuotaStore(redis, Keys(config.redis.prefix)), config.quotas, tenants)


def webhook_outbox(config: Config, redis: Redis, storage: Storage) -> WebhookOutbox:
    """What knows the webhooks, and queues the events that are owed to them. One for each process."""
    return WebhookOutbox(DeliveryStore(redis, Keys(config.redis.prefix)), Webhooks(storage), storage)


def webhook_service(config: Config, redis: Redis, storage: Storage, webhooks: Webhooks) -> WebhookService:
    """The verbs on webhooks."""
    deliveries = DeliveryStore(redis, Keys(config.redis.prefix))
    return WebhookService(webhooks, deliveries, job_store(config, redis), storage)


def image_service(
    config: Config,
    redis: Redis,
    storage: Storage,
    watch: JobWatch,
    outbox: WebhookOutbox,
    shutdown: Shutdown | None = None,
    limiter: Limiter | None = None,
) -> ImageService:
    """The verbs on images and jobs."""
    keys = Keys(config.redis.prefix)
    store = job_store(config, redis)
    sources = SourceIntake(storage, config.intake, config.imaging, allowed_urls(config))
    acceptance = Acceptance(
        store, storage, Idempotency(redis, keys), max_queued=config.queue.max_queued, limiter=limiter
    )
    submission = Submission(
        sources,
        acceptance,
        presets_of(config),
        limits=config.imaging,
        budget_bytes=config.sandbox.decode_budget_bytes,
        webhook_patterns=config.outbound.webhook_patterns,
        policies=PolicyUses(PolicyClaims(redis, keys), storage),
    )
    waits = Waits(config.web.max_waits, config.web.max_waits_per_address)
    originals = Originals(storage, keeps_location=config.web.original_metadata == "keep")
    return ImageService(store, storage, watch, submission, shutdown, waits, originals, outbox)


def event_service(config: Config, redis: Redis, watch: JobWatch, shutdown: Shutdown) -> EventService:
    """The verb that follows jobs. It shares the feed of those who wait for jobs."""
    web = config.web
    places = Waits(web.max_event_streams, web.max_event_streams_per_address)
    log = EventLog(redis, Keys(config.redis.prefix))
    return EventService(log, watch.feed, shutdown, places, heartbeat_seconds=web.event_heartbeat_seconds)


def batch_records(config: Config, redis: Redis, storage: Storage) -> BatchRecords:
    """What is kept of batches."""
    jobs = BatchJobs(redis, job_store(config, redis), Keys(config.redis.prefix))
    retention_seconds = config.retention.job_seconds
    return BatchRecords(jobs, storage, max_seconds=config.batches.max_seconds, retention_seconds=retention_seconds)


def batches(config: Config, redis: Redis, storage: Storage, service: ImageService) -> Batches:
    """The verbs on batches, whose images go the way of all others."""
    records = batch_records(config, redis, storage)
    return Batches(service.submission, records, storage, limits=config.batches, per_image=config.intake)


def mail_service(config: Config, redis: Redis, storage: Storage) -> MailService:
    """The verbs on emails."""
    keys, email = Keys(config.redis.prefix), config.email
    rates = EmailRates(redis, most=email.per_hour, most_per_mailbox=email.per_address_per_hour, keys=keys)
    return MailService(EmailStore(redis, keys), storage, rates, allowed=email.allowed, max_queued=email.max_queued)


def repairer(config: Config, redis: Redis, storage: Storage, outbox: WebhookOutbox | None = None) -> Repairer:
    """The repairer, which makes Redis agree with the storage and removes what has expired."""
    outbox = outbox or webhook_outbox(config, redis, storage)
    sandbox, policy = config.sandbox, config.retention_policy
    arriving = max(config.intake.total_seconds, config.outbound.url_seconds)
    longest = max(arriving, sandbox.job_timeout_seconds, sandbox.quarantine_seconds)
    ages = RetentionAges(
        ended_seconds=policy.general.job_seconds,
        source_seconds=policy.general.source_seconds,
        unended_seconds=LONGEST_AHEAD_SECONDS + WAITING_SECONDS,
        unfinished_seconds=max(UNFINISHED_SECONDS, 2 * longest),
        tenants=policy.tenants,
    )
    keys = Keys(config.redis.prefix)
    ledgers = (
        JobLedger(job_store(config, redis), storage, ages, outbox),
        EmailLedger(EmailStore(redis, keys), storage),
        DeliveryLedger(DeliveryStore(redis, keys)),
    )
    return Repairer(
        RepairLead(redis, keys),
        ledgers,
        sweep_interval_seconds=config.retention.sweep_seconds,
        other_sweeps=[
            PolicyUses(PolicyClaims(redis, keys), storage).sweep,
            batch_records(config, redis, storage).sweep,
        ],
    )

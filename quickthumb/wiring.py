"""Parts that more than one root builds from the configuration."""

from functools import partial

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
from quickthumb.queue.failures import FailedJobs
from quickthumb.queue.history import History
from quickthumb.queue.idempotency import Idempotency
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import WAITING_SECONDS, Keys
from quickthumb.queue.policies import PolicyClaims
from quickthumb.queue.quotas import QuotaStore
from quickthumb.queue.rates import EmailRates
from quickthumb.queue.repair import RepairLead, StorageMark
from quickthumb.queue.server import RedisServer
from quickthumb.queue.watch import JobWatch
from quickthumb.queue.workers import Workers
from quickthumb.service.accept import Acceptance
from quickthumb.service.batch_records import BatchRecords
from quickthumb.service.batches import Batches
from quickthumb.service.deployment import Deployment
from quickthumb.service.emails import EmailLedger, MailService
from quickthumb.service.events import EventService
from quickthumb.service.guard import StorageGuard
from quickthumb.service.jobs import ImageService
from quickthumb.service.notices import Notices
from quickthumb.service.originals import Originals
from quickthumb.service.policies import PolicyUses
from quickthumb.service.quotas import Limiter
from quickthumb.service.rebuilding import Rebuilding
from quickthumb.service.repair import JobLedger, Repairer
from quickthumb.service.shutdown import Shutdown
from quickthumb.service.sources import SourceIntake
from quickthumb.service.submit import Submission
from quickthumb.service.waits import Waits
from quickthumb.service.webhooks import DeliveryLedger, WebhookService
from quickthumb.starting import presets_of as presets_of
from quickthumb.starting import private_process as private_process
from quickthumb.storage import RetentionAges, Storage
from quickthumb.storage.space import disk_space
from quickthumb.work.batch_ends import BatchEnds
from quickthumb.work.notices import EmailNotices
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
    keys = Keys(config.redis.prefix)
    ends = BatchEnds(BatchJobs(redis, job_store(config, redis), keys), EventLog(redis, keys), storage)
    notices = EmailNotices(EmailStore(redis, keys), storage)
    return WebhookOutbox(DeliveryStore(redis, keys), Webhooks(storage), storage, ends, notices)


def webhook_service(config: Config, redis: Redis, storage: Storage, outbox: WebhookOutbox) -> WebhookService:
    """The verbs on webhooks."""
    deliveries = DeliveryStore(redis, Keys(config.redis.prefix))
    return WebhookService(outbox.webhooks, deliveries, job_store(config, redis), outbox.batches, storage)


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
    idempotency, notices = Idempotency(redis, keys), Notices(email_rates(config, redis), allowed=config.email.allowed)
    acceptance = Acceptance(
        store, storage, idempotency, max_queued=config.queue.max_queued, limiter=limiter, notices=notices
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
    missing = rebuilding(config, redis, storage)
    return ImageService(store, storage, watch, submission, shutdown, waits, originals, outbox, missing)


def rebuilding(config: Config, redis: Redis, storage: Storage) -> Rebuilding:
    """What tells jobs that Redis has lost from those that do not exist."""
    return Rebuilding(RepairLead(redis, Keys(config.redis.prefix)), storage)


def event_service(
    config: Config, redis: Redis, storage: Storage, watch: JobWatch, shutdown: Shutdown, outbox: WebhookOutbox
) -> EventService:
    """The verbs that follow jobs and batches. It shares the feed of those who wait for jobs."""
    web = config.web
    places = Waits(web.max_event_streams, web.max_event_streams_per_address)
    log = EventLog(redis, Keys(config.redis.prefix), job_store(config, redis).kind)
    records = batch_records(config, redis, storage, outbox)
    return EventService(
        log,
        watch.feed,
        records,
        outbox.batches,
        shutdown,
        places,
        rebuilding(config, redis, storage),
        heartbeat_seconds=web.event_heartbeat_seconds,
    )


def batch_records(config: Config, redis: Redis, storage: Storage, outbox: WebhookOutbox) -> BatchRecords:
    """What is kept of batches."""
    keys = Keys(config.redis.prefix)
    jobs, lead = BatchJobs(redis, job_store(config, redis), keys), RepairLead(redis, keys)
    retention_seconds = config.retention.job_seconds
    max_seconds = config.batches.max_seconds
    return BatchRecords(jobs, lead, storage, outbox, max_seconds=max_seconds, retention_seconds=retention_seconds)


def batches(config: Config, redis: Redis, storage: Storage, service: ImageService, outbox: WebhookOutbox) -> Batches:
    """The verbs on batches, whose images go the way of all others."""
    records = batch_records(config, redis, storage, outbox)
    return Batches(service.submission, records, storage, outbox, limits=config.batches, per_image=config.intake)


def email_rates(config: Config, redis: Redis) -> EmailRates:
    """How many emails may be sent."""
    email, keys = config.email, Keys(config.redis.prefix)
    return EmailRates(redis, most=email.per_hour, most_per_mailbox=email.per_address_per_hour, keys=keys)


def deployment(config: Config, redis: Redis) -> Deployment:
    """The verbs about the whole deployment."""
    keys, settings = Keys(config.redis.prefix), config.storage
    return Deployment(
        job_store(config, redis),
        History(redis, keys),
        Workers(redis, keys),
        FailedJobs(redis, keys),
        RedisServer(redis),
        partial(disk_space, settings.data_dir, settings.uploads_leave_bytes),
    )


def mail_service(config: Config, redis: Redis, storage: Storage) -> MailService:
    """The verbs on emails."""
    keys, email, rates = Keys(config.redis.prefix), config.email, email_rates(config, redis)
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
    of_batches = batch_records(config, redis, storage, outbox)
    ledgers = (
        JobLedger(job_store(config, redis), storage, ages, outbox),
        EmailLedger(EmailStore(redis, keys), storage),
        DeliveryLedger(DeliveryStore(redis, keys)),
    )
    return Repairer(
        RepairLead(redis, keys),
        ledgers,
        sweep_interval_seconds=config.retention.sweep_seconds,
        other_sweeps=[PolicyUses(PolicyClaims(redis, keys), storage).sweep, of_batches.sweep],
        other_rebuilds=[of_batches.restore],
    )

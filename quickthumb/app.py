"""The web application, which `quickthumb serve` serves. A root: it loads the configuration and wires the parts."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from starlette.applications import Starlette

from quickthumb import logs
from quickthumb.compat.services import endpoints_of
from quickthumb.config import Config, ConfigError, load
from quickthumb.queue.connection import connect
from quickthumb.queue.emails import EmailStore
from quickthumb.queue.idempotency import Idempotency
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.watch import JobWatch
from quickthumb.service.accept import Acceptance
from quickthumb.service.emails import MailService
from quickthumb.service.health import Health
from quickthumb.service.jobs import ImageService
from quickthumb.service.presets import read_presets
from quickthumb.service.sources import SourceIntake
from quickthumb.service.submit import Submission
from quickthumb.storage import FileStorage
from quickthumb.web.application import application

# A client is waiting, so Redis gets only a moment to come back; then the answer is 503.
REDIS_ATTEMPTS = 3
REDIS_ANSWER_SECONDS = 3.0


def build(config: Config) -> Starlette:
    """The application for a configuration. It connects to Redis on first use, and reconnects whenever it must."""
    redis = connect(config.redis_connection_url, Redis, attempts=REDIS_ATTEMPTS, answer_seconds=REDIS_ANSWER_SECONDS)
    watch = JobWatch(redis)
    older = endpoints_of(config.compat)
    store = JobStore(redis, retention_seconds=config.retention.job_seconds)
    storage = FileStorage(config.storage.data_dir, min_free_bytes=config.storage.min_free_bytes)
    sources = SourceIntake(storage, config.intake, config.imaging)
    acceptance = Acceptance(store, storage, Idempotency(redis), max_queued=config.queue.max_queued)
    submission = Submission(sources, acceptance, read_presets(config.presets))
    service = ImageService(store, storage, watch, submission)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        logs.configure(config.logs.format)
        yield
        await watch.close()
        await redis.aclose()

    emails = EmailStore(redis)
    mail = MailService(emails, storage, allowed=config.email.allowed, max_queued=config.email.max_queued)
    health = Health(store, storage)
    return application(
        service,
        mail,
        health,
        older,
        max_wait_seconds=config.web.max_wait_seconds,
        log_requests=config.logs.requests,
        lifespan=lifespan,
    )


try:
    app = build(load())
except ConfigError as error:
    sys.exit(f"quickthumb: {error}")

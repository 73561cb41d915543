"""The web process: `uvicorn quickthumb.app:app`. A root: it loads the configuration and wires the parts."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis
from starlette.applications import Starlette

from quickthumb import intake, logs
from quickthumb.compat.services import endpoints_of
from quickthumb.config import Config, ConfigError, load
from quickthumb.model.limits import Limits
from quickthumb.queue.connection import connect
from quickthumb.queue.emails import EmailStore
from quickthumb.queue.idempotency import Idempotency
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.watch import JobWatch
from quickthumb.service.emails import MailService
from quickthumb.service.jobs import ImageService
from quickthumb.service.presets import read_presets
from quickthumb.service.submit import Submission
from quickthumb.storage import FileStorage
from quickthumb.web.application import application

# A client is waiting: Redis gets a moment to come back, then the answer is 503.
REDIS_ATTEMPTS = 3
REDIS_ANSWER_SECONDS = 3.0


def build(config: Config) -> Starlette:
    """The application for a configuration. It connects to Redis when it first needs it, and again whenever it must."""
    redis = connect(config.redis_address, Redis, attempts=REDIS_ATTEMPTS, answer_seconds=REDIS_ANSWER_SECONDS)
    watch = JobWatch(redis)
    older = endpoints_of(config.compat)
    store = JobStore(redis, retention_seconds=config.retention_seconds)
    storage = FileStorage(config.data_dir, min_free_bytes=config.min_free_bytes)
    submission = Submission(
        store,
        storage,
        Idempotency(redis),
        intake.IntakeLimits(
            max_upload_bytes=config.max_upload_bytes,
            max_fields=config.max_fields,
            max_fields_bytes=config.max_fields_bytes,
            idle_seconds=config.upload_idle_seconds,
            total_seconds=config.upload_total_seconds,
        ),
        Limits(max_pixels=config.max_pixels),
        read_presets(config.presets),
        max_queued=config.max_queued,
    )
    service = ImageService(store, storage, watch, submission)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        logs.configure()
        yield
        await watch.close()
        await redis.aclose()

    emails = EmailStore(redis)
    mail = MailService(emails, storage, allowed=config.email_allowed, max_queued=config.email_max_queued)
    return application(service, mail, older, max_wait_seconds=config.max_wait_seconds, lifespan=lifespan)


try:
    app = build(load())
except ConfigError as error:
    sys.exit(f"quickthumb: {error}")

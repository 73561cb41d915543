"""The web application, which `quickthumb serve` serves. A root: it loads the configuration and wires the parts."""

from quickthumb import loading

loading.pause()

import contextlib
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
from redis.asyncio import Redis
from starlette.applications import Starlette

from quickthumb import logs
from quickthumb.compat.services import endpoints_of
from quickthumb.config import Config, ConfigError, load
from quickthumb.model.errors import QuickThumbError
from quickthumb.queue.condition import looked_after, mistake_at_start
from quickthumb.queue.connection import connect
from quickthumb.queue.keys import Keys
from quickthumb.queue.watch import JobWatch
from quickthumb.service.guard import LOOK_SECONDS
from quickthumb.service.health import Health
from quickthumb.service.keys import Keyring
from quickthumb.service.sessions import Sessions
from quickthumb.service.shutdown import Shutdown
from quickthumb.storage import FileStorage
from quickthumb.storage.privacy import exposure
from quickthumb.web.application import application
from quickthumb.web.connection import SHUTDOWN
from quickthumb.web.middleware.hosts import Hosts
from quickthumb.web.middleware.start_check import StartCheck
from quickthumb.web.server import adapt_server, give_last_answers, keep_what_is_loaded, use_many_threads
from quickthumb.wiring import (
    batches,
    deployment,
    event_service,
    image_service,
    job_store,
    limiter_of,
    mail_service,
    private_process,
    storage_guard,
    webhook_outbox,
    webhook_service,
)
from quickthumb.work.life import Loop, background

loading.loaded()
log = logging.getLogger("quickthumb.web")

# A client is waiting, so Redis gets only a moment to come back; then the answer is 503.
REDIS_ATTEMPTS = 3
REDIS_ANSWER_SECONDS = 3.0
FIRST_LOOK_SECONDS = 2.0


def build(config: Config) -> Starlette:
    """The application for a configuration. It connects to Redis on first use, and reconnects whenever it must."""
    redis = connect(config.redis_connection_url, Redis, attempts=REDIS_ATTEMPTS, answer_seconds=REDIS_ANSWER_SECONDS)
    keys = Keys(config.redis.prefix)
    watch = JobWatch(redis, keys)
    store = job_store(config, redis)
    limiter = limiter_of(config, redis)
    storage = FileStorage(config.storage.data_dir, min_free_bytes=config.storage.uploads_leave_bytes)
    guard = storage_guard(config, redis, storage)
    keyring = Keyring(FileStorage(config.storage.data_dir), lambda: guard.is_wrong)
    sessions = Sessions(storage, keyring)
    outbox = webhook_outbox(config, redis, storage)
    shutdown = Shutdown()

    async def look() -> None:
        await guard.watch()
        await keyring.refresh()
        await outbox.refresh()
        if config.web.dashboard:
            await sessions.refresh()

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
        logs.configure(config.logs.format)
        warning = exposure(config.storage.data_dir)
        if warning is not None:
            log.warning("%s", warning)
        server = adapt_server(config.web)
        # Without Redis the process starts all the same, and refuses uploads until it knows that its storage is the
        # right one.
        with private_process(config):
            with anyio.move_on_after(FIRST_LOOK_SECONDS), contextlib.suppress(QuickThumbError):
                await look()  # the loop tells what is wrong
            if server is not None:
                use_many_threads()
                keep_what_is_loaded()
            async with looked_after(redis, keys), background(Loop("storage", look, LOOK_SECONDS)):
                yield {SHUTDOWN: shutdown}
                await give_last_answers(server)
        await watch.close()
        await redis.aclose()

    service = image_service(config, redis, storage, watch, outbox, shutdown, limiter)
    app = application(
        service,
        mail_service(config, redis, storage),
        Health(store, storage, tuple(config.tenants)),
        endpoints_of(config.compat),
        events=event_service(config, redis, storage, watch, shutdown, outbox),
        webhooks=webhook_service(config, redis, storage, outbox),
        max_wait_seconds=config.web.max_wait_seconds,
        log_requests=config.logs.requests,
        lifespan=lifespan,
        root_path=config.web.root_path,
        # That requests need a key does not count here. It is so only from the first key on, COMPAT_TENANT lets some in
        # without one, and a proxy may add the key for its users: then rebinding would be a danger all the same.
        hosts=Hosts.of(config.web.allowed_hosts, listens_on=config.web.host, needs_keys=False),
        trusted_proxies=config.web.trusted_proxies,
        cors_origins=config.web.cors_origins,
        keyring=keyring,
        open_access=config.web.open_access,
        older_tenant=config.compat_tenant,
        url_secrets=config.web.listed_url_secrets,
        limiter=limiter,
        batches=batches(config, redis, storage, service, outbox),
        sessions=sessions,
        dashboard=config.web.dashboard,
        deployment=deployment(config, redis),
    )
    app.add_middleware(StartCheck, check=partial(mistake_at_start, redis, keys))
    return app


try:
    app = build(load())
except ConfigError as error:
    sys.exit(f"quickthumb: {error}")

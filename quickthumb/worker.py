"""The worker: `arq quickthumb.worker.Settings`. A root: it loads the configuration and wires the parts."""

from quickthumb import loading

loading.pause()

import asyncio
import logging
import os
import secrets
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from typing import Any, cast

from arq.typing import WorkerCoroutine
from arq.worker import func

from quickthumb import logs
from quickthumb.config import Config, ConfigError, load
from quickthumb.imaging.formats import FORMATS
from quickthumb.imaging.formats.heif import HEIF
from quickthumb.model.errors import QuickThumbError
from quickthumb.queue import codec
from quickthumb.queue.attempts import Attempts
from quickthumb.queue.condition import prove, warnings_of
from quickthumb.queue.connection import FOREVER, connect, outage_of, settings_of
from quickthumb.queue.deliveries import DeliveryStore
from quickthumb.queue.emails import EmailStore
from quickthumb.queue.events import EventLog
from quickthumb.queue.history import History
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.keys import Keys
from quickthumb.queue.outage import RedisMistake
from quickthumb.queue.pool import WakingPool
from quickthumb.queue.repair import StorageMark
from quickthumb.queue.twins import TwinIndex
from quickthumb.sandbox.memory import Budget
from quickthumb.sandbox.process import SandboxProcess
from quickthumb.sandbox.renderer import RESERVE_BYTES, Renderer, most_jobs_at_once
from quickthumb.sandbox.threads import DaemonThreads, available_cores
from quickthumb.service.guard import LOOK_SECONDS, StorageGuard, told
from quickthumb.storage import FileStorage, Storage
from quickthumb.storage.errors import WrongStorage
from quickthumb.storage.privacy import exposure
from quickthumb.wiring import (
    allowed_urls,
    job_store,
    mailer,
    outbound_client,
    presets_of,
    private_process,
    repairer,
    webhook_outbox,
)
from quickthumb.work.deliver import AT_ONCE
from quickthumb.work.fetch import FETCHES_AT_ONCE, Fetcher, FetchLimits
from quickthumb.work.handlers import HANDLERS, HANDLERS_BY_KIND, RUNNER, Parts, arq_function, handlers_of
from quickthumb.work.life import Loop, background, begin_shutdown, complete_shutdown, heartbeat, watchdog
from quickthumb.work.outbox import WebhookOutbox
from quickthumb.work.report import reporter
from quickthumb.work.results import TellingRender
from quickthumb.work.runner import Runner
from quickthumb.work.twins import Twins

try:
    import uvloop
except ImportError:  # Windows has none
    uvloop = None  # type: ignore[assignment]

loading.loaded()
log = logging.getLogger("quickthumb.worker")

STACK = "stack"
THREADS = "threads"
HEALTH_SECONDS = 5
# More often than the shortest slot of the history, so that each gets a snapshot even if a worker dies.
HISTORY_SECONDS = 20.0
# A worker blocks in Redis for less than a second, so a connection that is silent for this long is dead.
ATTEMPT_SECONDS = 5.0
# arq forgets a job that exceeds this limit, so no job may ever reach it. The sandbox ends slow renderings much earlier;
# its limits do not count the time that a job waits for memory.
ARQ_TIMEOUT_SECONDS = 86_400
# QuickThumb counts attempts itself, since arq's count also grows with each restart of a worker.
TRIES_WITHOUT_END = 1_000_000


async def start(context: dict[str, Any], config: Config) -> None:
    """Opens everything that the worker's attempts need, and puts it into arq's context."""
    stack = context[STACK] = AsyncExitStack()
    stack.enter_context(private_process(config))
    pool: WakingPool = context["redis"]
    keys = Keys(config.redis.prefix)
    # arq calls this within its main task. Once that task is over, no command may wait for Redis forever.
    main = cast("asyncio.Task[None]", asyncio.current_task())
    main.add_done_callback(lambda _: pool.stop_waiting())
    await _examine(pool, keys)
    _warn_of_exposure(config)
    storage = FileStorage(config.storage.data_dir)
    guard = await _guarded(storage, StorageMark(pool, keys), pool, main)
    threads = context[THREADS] = DaemonThreads(config.worker.threads or available_cores(), begin_shutdown)
    stack.callback(threads.close)
    jobs = job_store(config, pool)
    name = f"{config.worker.own_name}:{os.getpid()}:{secrets.token_hex(4)}"
    attempts = Attempts(pool, keys, worker=name)
    runner = context[RUNNER] = Runner(attempts, lease_seconds=config.queue.lease_seconds, limits=config.trouble)
    outbox = webhook_outbox(config, pool, storage)
    sandbox = SandboxProcess(config.sandbox.quarantine_seconds, config.sandbox.quarantine_memory_bytes)
    parts = _parts(config, pool, storage, threads, sandbox, jobs, attempts, outbox)
    handlers = context[HANDLERS_BY_KIND] = handlers_of(parts)
    pool.serves = {handler.kind: handler.at_once for handler in handlers.values()}
    report = reporter(runner, threads, sandbox, partial(_why_paused, pool, guard))
    repairs = partial(_if_usable, pool, guard, partial(repairer(config, pool, storage, outbox).round, name))
    await stack.enter_async_context(
        background(
            watchdog(config.worker.freeze_seconds),
            heartbeat(jobs, runner, name, config.queue.lease_seconds / 4, report),
            Loop("storage", guard.watch, LOOK_SECONDS),
            Loop("webhooks", outbox.refresh, LOOK_SECONDS),
            Loop("repairs", repairs, config.worker.housekeeping_seconds),
            Loop("history", partial(_keep_history, jobs, History(pool, keys)), HISTORY_SECONDS),
        )
    )


def _why_paused(pool: WakingPool, guard: StorageGuard) -> str | None:
    """Why the worker takes no jobs, in words that may be shown: the log has paths, too."""
    return None if pool.paused_for is None else guard.trouble or "The storage was not checked yet."


async def _keep_history(jobs: JobStore, history: History) -> None:
    await history.keep(await jobs.tally())


async def _if_usable(pool: WakingPool, guard: StorageGuard, action: Callable[[], Awaitable[object]]) -> None:
    if pool.paused_for is None or guard.is_full:
        await action()


async def _guarded(storage: Storage, mark: StorageMark, pool: WakingPool, main: "asyncio.Task[None]") -> StorageGuard:
    """The guard of the worker's storage, which pauses the worker while it cannot use the storage. Ends the process if
    the storage is the wrong one from the beginning."""
    guard = StorageGuard(storage, mark, on_trouble=pool.pause, on_recovery=pool.resume)
    pool.pause("its storage was not checked yet")
    try:
        await guard.check()
    except WrongStorage as error:
        # asyncio would log an exception that nobody retrieves.
        main.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        sys.exit(f"quickthumb: {told(error)}")
    except QuickThumbError:
        return guard  # the loop tells about it
    pool.resume()
    return guard


async def _examine(pool: WakingPool, keys: Keys) -> None:
    """Makes sure that Redis can be used, and warns of one that may lose jobs. Ends the process if it cannot be used."""
    try:
        await prove(pool, keys)
    except RedisMistake as mistake:
        raise SystemExit(f"quickthumb: {mistake}") from None
    for warning in await warnings_of(pool):
        log.warning("Redis at %s: %s", outage_of(pool).place, warning)


def _warn_of_exposure(config: Config) -> None:
    warning = exposure(config.storage.data_dir)
    if warning is not None:
        log.warning("%s", warning)


def _parts(
    config: Config,
    pool: WakingPool,
    storage: Storage,
    threads: DaemonThreads,
    sandbox: SandboxProcess,
    jobs: JobStore,
    attempts: Attempts,
    outbox: WebhookOutbox,
) -> Parts:
    renderer = Renderer(
        threads,
        Budget(config.sandbox.decode_budget_bytes, RESERVE_BYTES),
        sandbox,
        replace(config.imaging, spare_bytes=config.storage.min_free_bytes),
        seconds=config.sandbox.job_timeout_seconds,
        keeps_label=config.worker.keep_ai_label,
    )
    pool.takes_large = lambda: renderer.takes_large
    pool.large_decided = lambda: renderer.large_decided
    return Parts(
        jobs=jobs,
        emails=EmailStore(pool, Keys(config.redis.prefix)),
        deliveries=DeliveryStore(pool, Keys(config.redis.prefix)),
        attempts=attempts,
        storage=storage,
        render=renderer.in_thread,
        confined=renderer.in_process,
        telling=TellingRender(EventLog(pool, Keys(config.redis.prefix)), renderer.in_thread),
        confined_formats=confined_formats(config),
        mailer=mailer(config),
        outbox=outbox,
        outbound=outbound_client(config),
        webhook_pauses=config.outbound.webhook_pauses,
        webhook_secrets=config.outbound.listed_webhook_secrets,
        base=config.web.root_path,
        sender=config.smtp.sender,
        lease_seconds=config.queue.lease_seconds,
        max_attempts=config.queue.max_attempts,
        email_attempts=config.email.attempts,
        spare_bytes=config.storage.min_free_bytes,
        retention=config.retention_policy,
        fetcher=_fetcher(config, storage),
        twins=Twins(
            TwinIndex(pool, Keys(config.redis.prefix)),
            storage,
            jobs.kind,
            by_default=config.worker.dedupe,
            keeps_label=config.worker.keep_ai_label,
        ),
    )


def _fetcher(config: Config, storage: Storage) -> Fetcher:
    limits = FetchLimits(
        imaging=config.imaging,
        max_bytes=config.intake.max_upload_bytes,
        budget_bytes=config.sandbox.decode_budget_bytes,
        attempts=config.outbound.url_attempts,
        seconds=config.outbound.url_seconds,
    )
    return Fetcher(outbound_client(config), storage, allowed_urls(config), limits)


def confined_formats(config: Config) -> frozenset[str]:
    """The formats that are decoded in a sandbox process from the first attempt on."""
    always = {row.name for row in FORMATS if row.decoder.confined}
    return frozenset(always | {HEIF.name} if config.sandbox.confine_heic else always)


async def stop(context: dict[str, Any]) -> None:
    """Closes what `start` opened, if arq came as far. Ends the process if threads are still working."""
    if STACK in context:
        await context["redis"].give_back()
        await context[STACK].aclose()
    if THREADS in context:
        complete_shutdown(context[THREADS])


def settings(config: Config) -> type:
    """The class from which arq reads its options. arq reads only the class's own attributes, not inherited ones."""
    logs.configure(config.logs.format)
    presets_of(config)  # only to report invalid presets before anything starts
    keys = Keys(config.redis.prefix)
    threads = config.worker.threads or available_cores()
    max_jobs = most_jobs_at_once(threads) + (FETCHES_AT_ONCE if config.outbound.url_allowed else 0)

    async def on_startup(context: dict[str, Any]) -> None:
        await start(context, config)

    options = {
        "functions": [func(cast("WorkerCoroutine", arq_function(kind)), name=kind.function) for kind, _ in HANDLERS],
        "redis_settings": settings_of(config.redis_connection_url),
        "redis_pool": connect(
            config.redis_connection_url,
            WakingPool,
            attempts=FOREVER,
            answer_seconds=None,
            attempt_seconds=ATTEMPT_SECONDS,
            lease_seconds=config.queue.lease_seconds,
            places=max_jobs,
            keys=keys,
            overtaking=config.overtaking,
        ),
        "queue_name": keys.queue,
        "health_check_key": keys.alive(config.worker.own_name),
        "on_startup": on_startup,
        "on_shutdown": stop,
        "job_serializer": codec.dump,
        "job_deserializer": codec.load,
        # The pool hands out no more than it has places, and arq is to start at once whatever it gets.
        "max_jobs": 2 * (max_jobs + AT_ONCE),
        "max_tries": TRIES_WITHOUT_END,
        "keep_result": 0,
        "log_results": False,
        "job_timeout": ARQ_TIMEOUT_SECONDS,
        "job_completion_wait": config.worker.shutdown_grace_seconds,
        # The pool waits while there is nothing to do, or no place. So this delay only paces arq while it shuts down.
        "poll_delay": 0.001,
        "health_check_interval": HEALTH_SECONDS,
    }
    return type("Settings", (), options)


def __getattr__(name: str) -> Any:
    """`Settings`, once arq asks for them: whoever imports this module for something else needs no configuration."""
    if name != "Settings":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        made = settings(load())
    except ConfigError as error:
        sys.exit(f"quickthumb: {error}")
    _use_uvloop()
    return made


def _use_uvloop() -> None:
    """Makes uvloop's event loop that of this thread, where it is installed. arq runs in the loop that it finds."""
    if uvloop is not None:
        asyncio.set_event_loop(uvloop.new_event_loop())

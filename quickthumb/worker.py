"""The worker: `arq quickthumb.worker.Settings`. A root: it loads the configuration and wires the parts."""

import asyncio
import os
import platform
import secrets
import sys
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, cast

from arq.typing import WorkerCoroutine
from arq.worker import func

from quickthumb import logs
from quickthumb.config import Config, ConfigError, load
from quickthumb.queue import codec
from quickthumb.queue.connection import FOREVER, connect, settings_of
from quickthumb.queue.mail import MailStore
from quickthumb.queue.pool import WakingPool
from quickthumb.queue.store import JobStore
from quickthumb.sandbox.memory import Budget
from quickthumb.sandbox.process import SandboxProcess
from quickthumb.sandbox.renderer import Renderer
from quickthumb.sandbox.threads import DaemonThreads, available_cores
from quickthumb.service.presets import read_presets
from quickthumb.storage import FileStorage
from quickthumb.wiring import housekeeper, mailer
from quickthumb.work import shutdown
from quickthumb.work.background import repeated
from quickthumb.work.heartbeat import pulse
from quickthumb.work.mail import MAIL_RUNNER, send_email
from quickthumb.work.mail_runner import MailRunner, MailTerms
from quickthumb.work.process import RUNNER, process
from quickthumb.work.runner import JobRunner, Terms
from quickthumb.work.watchdog import watchdog

STACK = "stack"
THREADS = "threads"
HEALTH_SECONDS = 5
# arq forgets a job that outlives its limit. What takes too long is ended elsewhere, and waiting for memory is not that.
ARQ_TIMEOUT_SECONDS = 86_400
# QuickThumb counts attempts itself: arq's count grows with each restart of a worker, too.
TRIES_WITHOUT_END = 1_000_000


async def start(context: dict[str, Any], config: Config) -> None:
    """Opens what the worker's jobs need, and keeps it in arq's context."""
    logs.configure()
    stack = context[STACK] = AsyncExitStack()
    pool: WakingPool = context["redis"]
    # arq calls this within its main task; once that is over, nothing is worth waiting for Redis for ever.
    main = cast("asyncio.Task[None]", asyncio.current_task())
    main.add_done_callback(lambda _: pool.stop_waiting())
    await stack.enter_async_context(watchdog(config.worker.freeze_seconds))
    threads = context[THREADS] = DaemonThreads(config.worker.threads or available_cores(), shutdown.begin)
    stack.callback(threads.close)
    renderer = Renderer(
        threads,
        Budget(config.sandbox.decode_budget_bytes),
        SandboxProcess(config.sandbox.quarantine_seconds, config.sandbox.quarantine_memory_bytes),
        config.imaging,
        seconds=config.sandbox.job_timeout_seconds,
    )
    store = JobStore(pool, retention_seconds=config.retention.job_seconds)
    terms = Terms(config.queue.lease_seconds, config.queue.max_attempts, config.retention.source_seconds == 0)
    storage = FileStorage(config.storage.data_dir)
    runner = context[RUNNER] = JobRunner(store, storage, renderer.in_thread, terms, renderer.in_process)
    mail_terms = MailTerms(config.queue.lease_seconds, config.email.attempts)
    context[MAIL_RUNNER] = MailRunner(MailStore(pool), mailer(config), config.smtp.sender, mail_terms)
    name = f"{platform.node()}:{os.getpid()}:{secrets.token_hex(4)}"
    await stack.enter_async_context(pulse(store, runner, name, interval_seconds=config.queue.lease_seconds / 4))
    keeper = housekeeper(config, pool, store)
    tending = repeated("housekeeping", partial(keeper.tend, name), config.worker.housekeeping_seconds)
    await stack.enter_async_context(tending)


async def stop(context: dict[str, Any]) -> None:
    """Closes what `start` opened. Where threads hang, this is the end of the process."""
    await context[STACK].aclose()
    shutdown.complete(context[THREADS])


def settings(config: Config) -> type:
    """The class that arq reads its options from; it looks at the class's own attributes only."""
    read_presets(config.presets)  # only to say what is wrong with them before anything begins
    threads = config.worker.threads or available_cores()
    # One job more than threads: the next one's bookkeeping is done while the threads are busy.
    max_jobs = threads + 1

    async def on_startup(context: dict[str, Any]) -> None:
        await start(context, config)

    options = {
        "functions": [
            func(cast("WorkerCoroutine", process), name=codec.PROCESS_FUNCTION),
            func(cast("WorkerCoroutine", send_email), name=codec.MAIL_FUNCTION),
        ],
        "redis_settings": settings_of(config.redis_connection_url),
        "redis_pool": connect(
            config.redis_connection_url,
            WakingPool,
            attempts=FOREVER,
            answer_seconds=None,
            lease_seconds=config.queue.lease_seconds,
        ),
        "queue_name": "arq:queue",
        "on_startup": on_startup,
        "on_shutdown": stop,
        "job_serializer": codec.dump,
        "job_deserializer": codec.load,
        "max_jobs": max_jobs,
        "queue_read_limit": 2 * max_jobs,
        "max_tries": TRIES_WITHOUT_END,
        "keep_result": 0,
        "log_results": False,
        "job_timeout": ARQ_TIMEOUT_SECONDS,
        "job_completion_wait": config.worker.shutdown_grace_seconds,
        # The pool sleeps in Redis while there is nothing to do, so this only paces a busy worker.
        "poll_delay": 0.01,
        "health_check_interval": HEALTH_SECONDS,
    }
    return type("Settings", (), options)


try:
    Settings = settings(load())
except ConfigError as error:
    sys.exit(f"quickthumb: {error}")

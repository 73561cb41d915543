"""Parts that more than one root puts together, from the configuration."""

from redis.asyncio import Redis

from quickthumb.config import Config
from quickthumb.jobs import keys
from quickthumb.jobs.store import JobStore
from quickthumb.jobs.upkeep import JobUpkeep
from quickthumb.service.housekeeping import Housekeeper
from quickthumb.storage import Ages, FileStorage

# What was begun so long ago and is neither kept nor cleared away, nobody is working on any more.
UNFINISHED_SECONDS = 3600.0


def housekeeper(config: Config, redis: Redis, store: JobStore) -> Housekeeper:
    """Whoever keeps Redis true to the disk, and removes what has been kept long enough."""
    longest = max(config.upload_total_seconds, config.job_timeout_seconds)
    ages = Ages(
        ended_seconds=config.retention_seconds,
        source_seconds=config.source_retention_seconds,
        unended_seconds=keys.WAITING_SECONDS,
        unfinished_seconds=max(UNFINISHED_SECONDS, 2 * longest),
    )
    upkeep = JobUpkeep(redis, retention_seconds=config.retention_seconds)
    storage = FileStorage(config.data_dir)
    return Housekeeper(store, upkeep, storage, ages, sweep_interval_seconds=config.sweep_seconds)

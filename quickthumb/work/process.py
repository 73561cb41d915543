"""The one function that the queue calls."""

import logging
from typing import Any

from arq import Retry

from quickthumb.queue.pool import WakingPool
from quickthumb.work.runner import Abandoned, JobRunner, TryAgain

RUNNER = "runner"


log = logging.getLogger("quickthumb.worker")

# When Redis itself, or a bug, kept an attempt from being ended in order.
DISORDER_SECONDS = 2.0


async def process(context: dict[str, Any], job_id: str) -> None:
    """Runs one attempt at a job. Tells arq to come again whenever the job has not ended.

    arq takes any other exception for the end of the job, and forgets it.
    """
    runner: JobRunner = context[RUNNER]
    try:
        await runner.run(job_id)
    except Abandoned as left:
        # Whatever is answered here, arq would take the job from whoever has it now.
        pool: WakingPool = context["redis"]
        pool.leave_alone(job_id)
        raise Retry from left
    except TryAgain as again:
        raise Retry(defer=again.seconds) from again
    except Exception as error:
        log.exception("job %s: the attempt could not be ended in order", job_id)
        raise Retry(defer=DISORDER_SECONDS) from error

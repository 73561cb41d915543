"""QuickThumb's worker, with 50 ms of waiting in the thread before each rendering: for measuring how workers add up.

    arq benchmarks.slow_worker.Settings

The wait stands for work that does not need this machine's cores, which on few cores is the only kind that several
workers can do faster than one.
"""

import time
from typing import Any

from quickthumb.imaging import engine
from quickthumb.worker import Settings

WAIT_SECONDS = 0.05

__all__ = ["Settings"]

_render = engine.render


def render_after_waiting(*arguments: Any, **options: Any) -> engine.Rendering:
    """Waits, then renders."""
    time.sleep(WAIT_SECONDS)
    return _render(*arguments, **options)


engine.render = render_after_waiting

"""The list of older APIs, one line each, and which of them a deployment serves."""

import difflib
from collections.abc import Sequence

from quickthumb.compat import image_pipeline, image_resizer, task_queue
from quickthumb.config import ConfigError
from quickthumb.http.endpoints import Endpoint

SERVICES: dict[str, Sequence[Endpoint]] = {
    "task-queue": task_queue.ENDPOINTS,
    "image-resizer": image_resizer.ENDPOINTS,
    "image-pipeline": image_pipeline.ENDPOINTS,
}
ALL = ("all", "on", "yes", "true", "1")
NONE = ("none", "off", "no", "false", "0")


def endpoints_of(chosen: Sequence[str]) -> list[Endpoint]:
    """The endpoints of the chosen APIs; `all` and `none` stand for all of them and none of them.

    Raises ConfigError for an unknown name, with a suggestion.
    """
    names = [name.lower() for name in chosen]
    if len(names) == 1 and names[0] in ALL:
        names = list(SERVICES)
    elif len(names) == 1 and names[0] in NONE:
        names = []
    for name in names:
        if name not in SERVICES:
            nearest = difflib.get_close_matches(name, SERVICES, n=1)
            hint = f"Did you mean {nearest[0]}?" if nearest else f"Choose from all, none, {', '.join(SERVICES)}."
            raise ConfigError(f"COMPAT: there is no older API named {name!r}. {hint}")
    return [endpoint for name, endpoints in SERVICES.items() if name in names for endpoint in endpoints]

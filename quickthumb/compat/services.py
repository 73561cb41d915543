"""The list of older APIs, one line each, and the endpoints of those that a deployment serves."""

from collections.abc import Sequence

from quickthumb.compat import image_pipeline, image_resizer, task_queue
from quickthumb.compat.names import names_of
from quickthumb.http.endpoints import Endpoint

# By their names; `names.py` has the same names.
SERVICES: dict[str, Sequence[Endpoint]] = {
    "task-queue": task_queue.ENDPOINTS,
    "image-resizer": image_resizer.ENDPOINTS,
    "image-pipeline": image_pipeline.ENDPOINTS,
}


def endpoints_of(chosen: Sequence[str]) -> list[Endpoint]:
    """The endpoints of the chosen APIs; `all` and `none` stand for all of them and none of them.

    Raises ConfigError for an unknown name, with a suggestion.
    """
    names = names_of(chosen)
    return [endpoint for name, endpoints in SERVICES.items() if name in names for endpoint in endpoints]

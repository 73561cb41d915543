"""The names of the older APIs, and which of them a deployment serves. It imports none of them."""

import difflib
from collections.abc import Sequence

from quickthumb.config import ConfigError

NAMES = ("task-queue", "image-resizer", "image-pipeline")
ALL = ("all", "on", "yes", "true", "1")
NONE = ("none", "off", "no", "false", "0")


def names_of(chosen: Sequence[str]) -> list[str]:
    """The names of the chosen APIs; `all` and `none` stand for all of them and none of them.

    Raises ConfigError for an unknown name, with a suggestion.
    """
    names = [name.lower() for name in chosen]
    if len(names) == 1 and names[0] in ALL:
        return [*NAMES]
    if len(names) == 1 and names[0] in NONE:
        return []
    for name in names:
        if name not in NAMES:
            nearest = difflib.get_close_matches(name, NAMES, n=1)
            hint = f"Did you mean {nearest[0]}?" if nearest else f"Choose from all, none, {', '.join(NAMES)}."
            raise ConfigError(f"COMPAT: there is no older API named {name!r}. {hint}")
    return names

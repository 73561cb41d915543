"""Presets: named lists of outputs that a deployment defines, checked once at startup."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from quickthumb.config import ConfigError
from quickthumb.model.errors import InvalidParameter
from quickthumb.model.limits import MAX_OUTPUTS
from quickthumb.model.order import Presets
from quickthumb.model.output import Output, parse_output

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def read_presets(given: Mapping[str, Sequence[Mapping[str, Any]]], max_outputs: int = MAX_OUTPUTS) -> Presets:
    """The presets of a configuration. An output without a name gets the preset's name, and a number if the preset has
    several outputs.

    Raises ConfigError with one sentence that names the preset and the field.
    """
    return {name: _preset(name, outputs, max_outputs) for name, outputs in given.items()}


def _preset(name: str, outputs: Sequence[Mapping[str, Any]], max_outputs: int) -> tuple[Output, ...]:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"PRESETS: the name {name!r} must consist of lowercase letters, digits, - and _, "
            "start with a letter or digit, and have at most 64 characters."
        )
    if not 0 < len(outputs) <= max_outputs:
        raise ConfigError(f"PRESETS: the preset {name!r} must have 1 to {max_outputs} outputs, not {len(outputs)}.")
    read = tuple(_output(name, number, len(outputs), output) for number, output in enumerate(outputs, start=1))
    for result, count in Counter(output.name for output in read).items():
        if count > 1:
            raise ConfigError(f"PRESETS: the preset {name!r} gives the name {result!r} to {count} outputs.")
    return read


def _output(preset: str, number: int, count: int, parameters: Mapping[str, Any]) -> Output:
    name = preset if count == 1 else f"{preset[:60]}-{number}"
    try:
        return parse_output({"name": name, **parameters})
    except InvalidParameter as error:
        where = f"output {number} of the preset {preset!r}" if count > 1 else f"the preset {preset!r}"
        raise ConfigError(f"PRESETS: {where}: {error.detail}") from None

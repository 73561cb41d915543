"""Reads the values of the settings, from these sources, in order of increasing precedence:

the defaults, the deployment's `settings.py` (`NAME = value`), and the environment (`QUICKTHUMB_NAME=value`, or
`QUICKTHUMB_NAME_FILE=/path` for a secret in a file).
"""

import difflib
import os
import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from quickthumb.config.settings import SETTINGS, Config

ENVIRONMENT_PREFIX = "QUICKTHUMB_"
SETTINGS_FILE_VARIABLE = "QUICKTHUMB_SETTINGS"


class ConfigError(Exception):
    """The configuration is not valid. The message is one sentence that names the setting and where it was set."""


def load(environment: Mapping[str, str] | None = None) -> Config:
    """The configuration of this process, from the defaults, `settings.py` and the environment.

    `settings.py` is the file named by `QUICKTHUMB_SETTINGS`, otherwise the one in the working directory, if any.
    Raises ConfigError for an unknown setting (with a suggestion) and for an invalid value.
    """
    environment = os.environ if environment is None else environment
    named = environment.get(SETTINGS_FILE_VARIABLE)
    path = Path(named or "settings.py").absolute()
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    if named or path.is_file():
        _merge(values, origins, _from_file(path), path.name)
    _merge(values, origins, _from_environment(environment), "the environment")
    try:
        return Config.of(**values)
    except ValidationError as error:
        raise ConfigError(_sentence(error.errors()[0], origins)) from None


def _sentence(error: ErrorDetails, origins: Mapping[str, str]) -> str:
    """What is wrong, and with which setting. Pydantic locates it by section and field, or by field at the top level."""
    location = error["loc"]
    name, inside = str(location[0]), location[1:]
    for setting in SETTINGS.values():
        if (setting.section, setting.field) == location[:2]:
            name, inside = setting.name, location[2:]
    name = error.get("ctx", {}).get("setting", name)
    place = "".join(f"[{part!r}]" for part in inside)
    return f"{name.upper()}{place} (from {origins.get(name, 'the defaults')}): {error['msg']}."


def _merge(values: dict[str, Any], origins: dict[str, str], found: Mapping[str, Any], origin: str) -> None:
    for name, value in found.items():
        values[name] = value
        origins[name] = origin


def _from_file(path: Path) -> dict[str, Any]:
    try:
        defined = runpy.run_path(str(path))
    except Exception as error:
        raise ConfigError(f"Could not read {path.name}: {type(error).__name__}: {error}.") from error
    return {_known(name, path.name): value for name, value in defined.items() if name.isupper()}


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for variable, value in environment.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable == SETTINGS_FILE_VARIABLE:
            continue
        name = variable.removeprefix(ENVIRONMENT_PREFIX)
        if name.endswith("_FILE") and name.lower() not in SETTINGS:
            name, value = name.removesuffix("_FILE"), _secret(variable, Path(value))
        found[_known(name, variable)] = value
    return found


def _secret(variable: str, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{variable}: could not read the file: {error}.") from error


def _known(name: str, origin: str) -> str:
    if name.lower() in SETTINGS:
        return name.lower()
    nearest = difflib.get_close_matches(name.lower(), SETTINGS, n=1, cutoff=0.6)
    suggestion = f" Did you mean {nearest[0].upper()}?" if nearest else ""
    raise ConfigError(f"{name} (from {origin}) is not a setting.{suggestion}")

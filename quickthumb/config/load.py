"""Reads the values of the settings, from these sources, in order of increasing precedence:

the defaults, the deployment's `settings.py` (`NAME = value`), and the environment (`QUICKTHUMB_NAME=value`, or
`QUICKTHUMB_NAME_FILE=/path` for a secret in a file).
"""

import ast
import difflib
import os
import re
import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from quickthumb.config.secrecy import own_environment
from quickthumb.config.settings import ENVIRONMENT_PREFIX, SETTINGS, Config
from quickthumb.model.errors import UserMistake

SETTINGS_FILE_VARIABLE = "QUICKTHUMB_SETTINGS"
SETTINGS_FILE = "settings.py"

# Kubernetes sets these variables in every container, for each Service of the namespace. If a Service is named
# `quickthumb` or `quickthumb-redis`, they look like settings: QUICKTHUMB_PORT=tcp://10.0.0.1:8000.
SERVICE_LINK = re.compile(
    r"""
    QUICKTHUMB_ (\w+_)? (
        SERVICE_HOST = [0-9A-Fa-f.:]+
      | SERVICE_PORT (_\w+)? = \d+
      | PORT (_\d+_(TCP|UDP|SCTP))? = (tcp|udp|sctp)://\S+:\d+
      | PORT_\d+_(TCP|UDP|SCTP)_PROTO = (tcp|udp|sctp)
      | PORT_\d+_(TCP|UDP|SCTP)_PORT = \d+
      | PORT_\d+_(TCP|UDP|SCTP)_ADDR = [0-9A-Fa-f.:]+
    )
    """,
    re.VERBOSE,
)


class ConfigError(UserMistake):
    """The configuration is not valid. The message is one sentence that names the setting and where it was set."""


def load(environment: Mapping[str, str] | None = None) -> Config:
    """The configuration of this process, from the defaults, `settings.py` and the environment.

    Without `environment`, reads that of this process, and takes the secrets out of it (see `secrecy`).

    Raises ConfigError for an unknown setting (with a suggestion), for an invalid value, and for a `settings.py` in the
    working directory that is not QuickThumb's: such a file is not run.
    """
    environment = own_environment() if environment is None else environment
    path = settings_file(environment)
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    if path is not None:
        if not environment.get(SETTINGS_FILE_VARIABLE):
            _refuse_foreign(path)
        _merge(values, origins, _from_file(path), path.name)
    _merge(values, origins, _from_environment(environment), "the environment")
    try:
        return Config.of(**values)
    except ValidationError as error:
        raise ConfigError(_sentence(error.errors()[0], origins)) from None


def settings_file(environment: Mapping[str, str]) -> Path | None:
    """The settings file: the one named by `QUICKTHUMB_SETTINGS`, otherwise the one in the working directory, if any."""
    named = environment.get(SETTINGS_FILE_VARIABLE)
    path = Path(named or SETTINGS_FILE).absolute()
    return path if named or path.is_file() else None


def _sentence(error: ErrorDetails, origins: Mapping[str, str]) -> str:
    """What is wrong, and with which setting. Pydantic locates it by section and field, or by field at the top level."""
    location = error["loc"]
    name, inside = str(location[0]), location[1:]
    for setting in SETTINGS.values():
        if (setting.section, setting.field) == location[:2]:
            name, inside = setting.name, location[2:]
    name = error.get("ctx", {}).get("setting", name)
    place = "".join(f"[{part!r}]" for part in inside)
    told = error["msg"].removeprefix("Value error, ").rstrip(".")  # pydantic's words, then ours
    return f"{name.upper()}{place} (from {origins.get(name, 'the defaults')}): {told}."


def _merge(values: dict[str, Any], origins: dict[str, str], found: Mapping[str, Any], origin: str) -> None:
    for name, value in found.items():
        values[name] = value
        origins[name] = origin


def _refuse_foreign(path: Path) -> None:
    """Refuse a file from the working directory that has names which are no settings, or code but no setting.

    It may belong to another project, so it is only parsed, not run.
    """
    names, statements = _assigned(path)
    unknown = next((name for name in names if name.lower() not in SETTINGS), None)
    if unknown is None and (names or not statements):
        return
    found = _unknown(unknown, str(path)) if unknown else f"{path} sets nothing that is a setting."
    raise ConfigError(
        f"{found} If that file belongs to another project, set {SETTINGS_FILE_VARIABLE} to QuickThumb's own settings "
        f"file, or to {os.devnull} for none."
    )


def _assigned(path: Path) -> tuple[list[str], int]:
    """The names in capitals that the file assigns outside of functions and classes, and its number of statements."""
    try:
        body = ast.parse(path.read_bytes()).body
    except Exception as error:
        raise _unreadable(path, error) from error
    statements = [statement for statement in body if not _is_docstring(statement)]
    names: list[str] = []
    rest: list[ast.AST] = [*reversed(statements)]
    while rest:
        node = rest.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id.isupper():
            names.append(node.id)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            rest.extend(reversed([*ast.iter_child_nodes(node)]))
    return names, len(statements)


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _unreadable(path: Path, error: Exception) -> ConfigError:
    return ConfigError(f"Could not read {path.name}: {type(error).__name__}: {error}.")


def _from_file(path: Path) -> dict[str, Any]:
    try:
        defined = runpy.run_path(str(path))
    except Exception as error:
        raise _unreadable(path, error) from error
    return {_known(name, path.name): value for name, value in defined.items() if name.isupper()}


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for variable, value in environment.items():
        if not variable.startswith(ENVIRONMENT_PREFIX) or variable == SETTINGS_FILE_VARIABLE:
            continue
        if SERVICE_LINK.fullmatch(f"{variable}={value}"):
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
    raise ConfigError(_unknown(name, origin))


def _unknown(name: str, origin: str) -> str:
    nearest = difflib.get_close_matches(name.lower(), SETTINGS, n=1, cutoff=0.6)
    suggestion = f" Did you mean {nearest[0].upper()}?" if nearest else ""
    return f"{name} (from {origin}) is not a setting.{suggestion}"

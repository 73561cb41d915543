"""How much a key may demand, on the command line: an option for each of its bounds and quotas, and how lists show them.

`Bounds` and `Quotas` are the only lists of these. A new field needs nothing here.
"""

import argparse
from collections.abc import Iterator
from typing import Any, TypeVar

from pydantic import BaseModel

from quickthumb.cli.units import count, size
from quickthumb.model.allowance import Bounds, Quotas

GROUPS: dict[type[BaseModel], tuple[str, str]] = {
    Bounds: ("bounds", "What one request with the key may demand at most; the settings may allow less."),
    Quotas: ("quotas", "What all requests with the key may demand at most; those of the setting QUOTAS otherwise."),
}
AllowanceT = TypeVar("AllowanceT", Bounds, Quotas)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for each bound and each quota."""
    for kind, (title, meaning) in GROUPS.items():
        group = parser.add_argument_group(title, meaning)
        for name, schema in kind.model_json_schema()["properties"].items():
            group.add_argument(_option(name, schema), dest=name, **_reading(name, schema))


def given(kind: type[AllowanceT], arguments: argparse.Namespace) -> AllowanceT:
    """The bounds, or quotas, that these options gave."""
    values = {name: getattr(arguments, name) for name in kind.model_fields}
    return kind(**{name: _distinct(value) for name, value in values.items() if value is not None})


def told(*allowances: BaseModel) -> Iterator[str]:
    """All that is bounded, in one column; nothing if nothing is."""
    found = [f"{name}={_shown(value)}" for one in allowances for name, value in one if value is not None]
    if found:
        yield ",".join(found)


def _option(name: str, schema: dict[str, Any]) -> str:
    return f"--{(name.removesuffix('s') if _is_list(schema) else name).replace('_', '-')}"


def _reading(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    meaning = schema["description"].removesuffix(".")
    if _is_list(schema):
        return {"action": "append", "metavar": "NAME", "help": f"{meaning}; give it several times for several"}
    if "bytes" in name.split("_"):
        return {"type": size, "metavar": "SIZE", "help": f"{meaning}; 5MB and 5MiB are sizes, too"}
    return {"type": count, "metavar": "N", "help": meaning}


def _is_list(schema: dict[str, Any]) -> bool:
    return any(kind["type"] == "array" for kind in schema["anyOf"])


def _distinct(value: Any) -> Any:
    return tuple(dict.fromkeys(value)) if isinstance(value, list) else value


def _shown(value: Any) -> str:
    return "+".join(value) if isinstance(value, tuple) else str(value)

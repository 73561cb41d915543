"""Redis scripts: Lua files with named inputs, each of which Redis runs as one atomic step.

The head of a script in `scripts/` says what the script promises and returns, and declares its inputs:

    -- USES: now, move             functions from scripts/lib/
    -- KEYS: record, lease         the keys, by name
    -- KEYS?: idempotency          a key that may be left out (nil then)
    -- KEYS*: places               all further keys, as a list
    -- ARGV: id, token             the arguments, by name; they arrive as strings
    -- ARGV*: fields               all further arguments, as a list

Each name becomes a local variable of the script and a keyword argument of the call. Statuses, and the allowed moves
between them, come from `model.job`, priorities from `model.priority`, BOUNDS_MS, the bounds of histograms, from
`totals`, and MOST_EVENTS, MOST_PAST and PARKED_MS from `keys`, so that no script spells them out. Only `keys` names
keys, and only Redis' own clock tells the time.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from quickthumb.model.job import MOVES, Status
from quickthumb.model.priority import NORMAL, PRIORITIES
from quickthumb.queue.connection import ask
from quickthumb.queue.keys import MOST_EVENTS, MOST_PAST, PARKED_MS
from quickthumb.queue.totals import BOUNDS_MS

FOLDER = Path(__file__).with_name("scripts")
DECLARATION = re.compile(r"^-- (USES|KEYS[?*]?|ARGV\*?): (.+)$", re.MULTILINE)

Argument = str | bytes | int | float
NOWHERE: Mapping[str, str] = {}


@dataclass(frozen=True)
class Script:
    """A script's text as Redis gets it, and the names of the script's inputs in their order."""

    text: str
    keys: tuple[str, ...]
    optional_keys: tuple[str, ...]
    more_keys: str | None
    arguments: tuple[str, ...]
    more_arguments: str | None

    @cached_property
    def all_keys(self) -> tuple[str, ...]:
        return (*self.keys, *self.optional_keys)

    @cached_property
    def required(self) -> frozenset[str]:
        """The names of the inputs that may not be left out."""
        return frozenset({*self.keys, *self.arguments, *filter(None, (self.more_keys, self.more_arguments))})

    @cached_property
    def digest(self) -> str:
        """The name by which Redis knows the script."""
        return hashlib.sha1(self.text.encode()).hexdigest()  # noqa: S324 - Redis' choice

    def inputs(self, places: Mapping[str, str] = NOWHERE, /, **named: Any) -> tuple[list[str], list[Argument]]:
        """KEYS and ARGV for the named inputs, and for the keys among `places`. Raises TypeError when an input is
        missing or unknown."""
        given = {**{name: places[name] for name in self.all_keys if name in places}, **named}
        if given.keys() != self.required and given.keys() - self.optional_keys != self.required:
            missing, unknown = self.required - given.keys(), given.keys() - self.required - {*self.optional_keys}
            raise TypeError(f"missing inputs: {sorted(missing)}, unknown inputs: {sorted(unknown)}")
        keys = [given[name] for name in self.keys]
        keys += [given[name] for name in self.optional_keys if given.get(name) is not None]
        arguments = [given[name] for name in self.arguments]
        return [*keys, *_listed(given, self.more_keys)], [*arguments, *_listed(given, self.more_arguments)]


class RegisteredScript:
    """A script to call with keyword arguments. Its text is sent to Redis once; after that, its digest is enough."""

    def __init__(self, redis: Redis, name: str) -> None:
        self._redis = redis
        self._script = load(name)

    async def __call__(self, places: Mapping[str, str] = NOWHERE, /, **named: Any) -> Any:
        """Runs the script. Takes the keys that the script declares from `places`, by name."""
        keys, arguments = self._script.inputs(places, **named)
        words = (self._script.digest, len(keys), *keys, *arguments)
        try:
            return await ask(self._redis, "EVALSHA", *words)
        except NoScriptError:
            await ask(self._redis, "SCRIPT LOAD", self._script.text)
            return await ask(self._redis, "EVALSHA", *words)


@cache
def load(name: str) -> Script:
    """The script in `scripts/{name}.lua`."""
    source = (FOLDER / f"{name}.lua").read_text(encoding="utf-8")
    declared: dict[str, tuple[str, ...]] = {}
    for directive, names in DECLARATION.findall(source):
        declared[directive] = (*declared.get(directive, ()), *re.split(r",\s*", names))
    keys, optional_keys = declared.get("KEYS", ()), declared.get("KEYS?", ())
    arguments = declared.get("ARGV", ())
    (more_keys,) = declared.get("KEYS*", (None,))
    (more_arguments,) = declared.get("ARGV*", (None,))
    parts = [
        _constants(),
        *_locals("KEYS", (*keys, *optional_keys), more_keys),
        *_locals("ARGV", arguments, more_arguments),
        *((FOLDER / "lib" / f"{used}.lua").read_text(encoding="utf-8") for used in declared.get("USES", ())),
        source,
    ]
    return Script("\n".join(parts), keys, optional_keys, more_keys, arguments, more_arguments)


def _locals(table: str, names: Sequence[str], more: str | None) -> list[str]:
    """The lines of Lua that give names to the entries of KEYS or ARGV."""
    values = ", ".join(f"{table}[{number}]" for number in range(1, len(names) + 1))
    named = [f"local {', '.join(names)} = {values}"] if names else []
    return [*named, f"local {more} = {{unpack({table}, {len(names) + 1})}}"] if more else named


def _constants() -> str:
    """The statuses, every allowed move between them, the priorities, and the bounds of histograms and of the stream of
    events, as Lua constants."""
    names = ", ".join(Status)
    values = ", ".join(f"'{status}'" for status in Status)
    moves = ", ".join(
        f"[{status}] = {{{', '.join(f'[{target}] = true' for target in Status if target in targets)}}}"
        for status, targets in MOVES.items()
    )
    bounds = ", ".join(map(str, BOUNDS_MS))
    statuses = f"local {names} = {values}\nlocal STATUSES = {{{names}}}\nlocal MOVES = {{{moves}}}"
    priorities = ", ".join(f"'{priority}'" for priority in PRIORITIES)
    order = f"local PRIORITIES, NORMAL, PARKED_MS = {{{priorities}}}, '{NORMAL}', {PARKED_MS}"
    most = f"local MOST_EVENTS, MOST_PAST = {MOST_EVENTS}, {MOST_PAST}"
    return f"{statuses}\nlocal BOUNDS_MS = {{{bounds}}}\n{most}\n{order}"


def _listed(named: dict[str, Any], name: str | None) -> Sequence[Any]:
    return named[name] if name is not None else ()

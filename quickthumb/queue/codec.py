"""How items are written in Redis: the JSON of arq's queue entries, and the fields of hashes."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from arq.jobs import serialize_job

from quickthumb.model.caller import DEFAULT_TENANT
from quickthumb.model.job import Failure
from quickthumb.queue.keys import TAG_MARK, Kind, list_name

# The field of a hash with the id of the request that the item came with.
REQUEST_ID = "request_id"
# The field with the names of the lists in which the item is besides that of all, separated by spaces: its tenant first,
# then those of its tags. Only jobs of other tenants than the default one have it, and jobs with tags.
LISTS = "list"
# The field that says for how many seconds an item is kept after its end, if it says so itself.
KEPT_SECONDS = "kept_seconds"


def dump(value: Any) -> bytes:
    """Serializes what arq keeps in Redis. As JSON, since with pickle anyone who can write to Redis could run code."""
    return json.dumps(value, default=repr, separators=(",", ":")).encode()


def load(data: bytes) -> Any:
    return json.loads(data)


def entry_for(kind: Kind, item_id: str, created_ms: int) -> bytes:
    """arq's entry for an item: the function's name and the item's id, nothing more."""
    entry = serialize_job(kind.function, (item_id,), {}, None, created_ms, serializer=dump)
    if entry is None:  # pragma: no cover - JSON can always hold a name and an id
        raise TypeError("arq could not write the entry as JSON")
    return entry


def flat(fields: Mapping[str, str]) -> list[str]:
    """The fields of a hash in the order in which Redis takes them: name, value, name, value …"""
    return [text for pair in fields.items() for text in pair]


def request_id_of(fields: Mapping[bytes, bytes]) -> str | None:
    """The id of the request that an item came with, from its hash; None if the hash has none."""
    request_id = fields.get(REQUEST_ID.encode())
    return None if request_id is None else request_id.decode()


def lists_of(tenant: str, tags: Iterable[str]) -> str:
    """What LISTS holds for a job: empty for one of the default tenant that has no tags."""
    own = () if tenant == DEFAULT_TENANT else (list_name(tenant),)
    return " ".join((*own, *(list_name(tenant, tag) for tag in dict.fromkeys(tags))))


def tenant_in(lists: str) -> str | None:
    """The tenant that LISTS names; None for the default one."""
    first = lists.partition(" ")[0]
    return None if first.startswith(TAG_MARK) else first or None


def failure_text(error: Failure | None) -> str:
    """An error in the form that a hash holds; empty for None."""
    return error.model_dump_json() if error else ""

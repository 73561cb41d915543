"""The field of a job's hash that remembers the latest attempts, as a JSON list of lists in the order of `PastAttempt`.

Workers write it in the same step that settles an attempt (`attempts`). Two scripts add the attempts that no worker
settles, because it died or because the job was cancelled (`scripts/lib/broken_off.lua`).
"""

import json
from collections.abc import Mapping

from pydantic_core import from_json

from quickthumb.model.job import PastAttempt
from quickthumb.queue.keys import MOST_PAST

HISTORY = "history"
_PARTS = len(PastAttempt._fields)


def past_in(fields: Mapping[bytes, bytes]) -> tuple[PastAttempt, ...]:
    """The attempts that a hash remembers, the oldest first: none if it is of an earlier release. A later release may
    know more of each."""
    text = fields.get(HISTORY.encode())
    return () if text is None else tuple(PastAttempt(*one[:_PARTS]) for one in from_json(text))


def with_past(fields: Mapping[bytes, bytes], latest: PastAttempt) -> str:
    """The field once one more attempt is over, from the hash as it was before."""
    return json.dumps([*past_in(fields), latest][-MOST_PAST:], separators=(",", ":"))

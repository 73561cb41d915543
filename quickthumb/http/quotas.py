"""How answers tell of quotas: the headers of the IETF draft on rate limits (draft-ietf-httpapi-ratelimit-headers).

Both headers are lists of structured fields (RFC 9651), with an item for each quota.
"""

import math
from collections.abc import Sequence

from quickthumb.model.quota import Policy, Standing

POLICY, REMAINING = "RateLimit-Policy", "RateLimit"
MEANINGS = (
    (REMAINING, "What is left of each quota that applies: `r`, and in `t` seconds there is more."),
    (POLICY, "The quotas that apply: `q` within `w` seconds, or at the same time if there is no `w`."),
)


def quota_headers(standings: Sequence[Standing]) -> dict[str, str]:
    """The headers that tell of these quotas."""
    return {
        POLICY: ", ".join(_policy(standing.policy) for standing in standings),
        REMAINING: ", ".join(_remaining(standing) for standing in standings),
    }


def _policy(policy: Policy) -> str:
    unit = "" if policy.unit is None else f';qu="{policy.unit}"'
    window = "" if policy.window_seconds is None else f";w={policy.window_seconds}"
    return f'"{policy.name}";q={policy.most}{unit}{window}'


def _remaining(standing: Standing) -> str:
    wait = f";t={math.ceil(standing.wait_seconds)}" if standing.wait_seconds else ""
    return f'"{standing.policy.name}";r={standing.remaining}{wait}'

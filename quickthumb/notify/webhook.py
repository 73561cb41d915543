"""Messages to webhooks in the form of Standard Webhooks 1.0.0.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from quickthumb.model.webhook import EventType, key_of

CONTENT_TYPE = "application/json"
USER_AGENT = "QuickThumb"


def message(event: EventType, happened_at: datetime, data: Mapping[str, Any]) -> bytes:
    """The body: what happened, when, and the facts."""
    told = {"type": event.value, "timestamp": _zulu(happened_at), "data": data}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def signed_headers(signing: Sequence[str], message_id: str, moment: datetime, body: bytes) -> dict[str, str]:
    """The headers of one attempt: each of the secrets has signed the id, the time of the attempt and the body."""
    name, seconds = f"msg_{message_id}", str(int(moment.timestamp()))
    content = b".".join((name.encode(), seconds.encode(), body))
    signatures = (hmac.digest(key_of(secret), content, hashlib.sha256) for secret in signing)
    return {
        "Content-Type": CONTENT_TYPE,
        "User-Agent": USER_AGENT,
        "webhook-id": name,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(f"v1,{base64.b64encode(signature).decode()}" for signature in signatures),
    }


def _zulu(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

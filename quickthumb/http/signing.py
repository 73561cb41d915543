"""Signed URLs: whoever has one may GET what it names, until it expires, and needs no API key. And signed policies.

The signature is the HMAC-SHA-256, in base64 for URLs without padding, of three lines: the method (GET also stands for
HEAD), the path, and the query without the signature, its parameters sorted and percent-encoded (RFC 3986).
"""

import base64
import hashlib
import hmac
import math
import re
import time
from collections.abc import Sequence
from urllib.parse import parse_qsl, quote, urlencode

from quickthumb.http.errors import InvalidSignature

EXPIRES, SIGNATURE = "expires", "signature"
READS = {"HEAD": "GET"}
# Seconds since 1970, until the year 33658. Python reads no number of more than 4,300 digits.
MOMENT = re.compile(r"[0-9]{1,12}")
MOST_PARAMETERS = 16
LONGEST_SECONDS = 7 * 86_400
# Times of expiry are rounded up to whole minutes, so that caches see the same URL again.
ROUNDING_SECONDS = 60


class Signer:
    """Signs and checks with the deployment's secrets: the first one signs, and each is accepted, so that they can be
    replaced one after the other. Without any, nothing can be signed and no signature is right."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._secrets = [secret.encode() for secret in secrets]

    @property
    def can_sign(self) -> bool:
        return bool(self._secrets)

    def signed(self, path: str, seconds: float) -> str:
        """The path with a query that lets anybody GET it for so long, and up to a minute longer."""
        return self.signed_until(path, moment_in(seconds))

    def signed_until(self, path: str, expires: int) -> str:
        """The path with a query that lets anybody GET it until this moment, in seconds since 1970."""
        parameters = [(EXPIRES, str(expires))]
        signature = self.signature("GET", path, parameters)
        return f"{path}?{urlencode([*parameters, (SIGNATURE, signature)])}"

    def signature(self, method: str, path: str, parameters: Sequence[tuple[str, str]]) -> str:
        """The signature of such a request."""
        return _signature(self._secrets[0], method, path, parameters)

    def has_signed(self, method: str, path: str, parameters: Sequence[tuple[str, str]], signature: str) -> bool:
        """Whether this is the signature of such a request with one of the secrets."""
        rights = [_signature(secret, method, path, parameters) for secret in self._secrets]
        return any(hmac.compare_digest(right.encode(), signature.encode()) for right in rights)

    def check(self, method: str, path: str, query: str) -> int:
        """Until when this signed request is good, in seconds since 1970. Raises InvalidSignature unless a secret has
        signed it, the time is not over, and it is not longer than LONGEST_SECONDS."""
        try:
            given = parse_qsl(query, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
        except ValueError:
            raise InvalidSignature("The signed URL has too many parameters.") from None
        if len(dict(given)) < len(given):
            raise InvalidSignature("A parameter of the signed URL is given twice.")
        parameters = [(name, value) for name, value in given if name != SIGNATURE]
        if not self.has_signed(READS.get(method, method), path, parameters, dict(given).get(SIGNATURE, "")):
            raise InvalidSignature("The signature is not that of this URL.")
        expires = dict(parameters).get(EXPIRES, "")
        if not (MOMENT.fullmatch(expires) and time.time() < int(expires)):
            raise InvalidSignature("The signed URL has expired.")
        if int(expires) - time.time() > LONGEST_SECONDS + 2 * ROUNDING_SECONDS:  # rounded, and by another clock
            raise InvalidSignature("The signed URL expires in more than 7 days.")
        return int(expires)


def moment_in(seconds: float) -> int:
    """The time in so many seconds, rounded up to a whole minute."""
    return math.ceil((time.time() + seconds) / ROUNDING_SECONDS) * ROUNDING_SECONDS


def _signature(secret: bytes, method: str, path: str, parameters: Sequence[tuple[str, str]]) -> str:
    query = urlencode(sorted(parameters), quote_via=quote, safe="")
    digest = hmac.digest(secret, f"{method}\n{path}\n{query}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

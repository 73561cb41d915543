"""Signed upload policies: `base64url(JSON).signature`, in a header or in a form field before the image.

The signature is the same as that of a URL: of POST, the path `/images/`, and a query with the JSON as `policy`.
"""

import base64
import binascii
import hashlib
import re
import time
from collections.abc import Sequence

from pydantic import ValidationError

from quickthumb.http.errors import InvalidPolicy
from quickthumb.http.signing import LONGEST_SECONDS, ROUNDING_SECONDS, Signer
from quickthumb.model.policy import FIELD, Terms, UploadPolicy

HEADER = "Upload-Policy"
METHOD, PATH = "POST", "/images/"
_FORM = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]{43})")
# How far the clock of a backend may be ahead.
CLOCKS_DIFFER_SECONDS = ROUNDING_SECONDS

Headers = Sequence[tuple[bytes, bytes]]


class PolicyCheck:
    """Finds policies in requests, and reads those that one of the signer's secrets has signed."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def in_header(self, headers: Headers) -> str | None:
        """The text of the policy in the header; None if there is none. Raises InvalidPolicy for two."""
        given = _values(headers, b"upload-policy")
        if len(given) > 1:
            raise InvalidPolicy("The request has more than one upload policy.", field=HEADER)
        return given[0] if given else None

    def may_be_in_form(self, headers: Headers) -> bool:
        """Whether the request may have a policy in a form: it has no key, and there are secrets to sign with."""
        if not self._signer.can_sign or _values(headers, b"authorization"):
            return False
        return any(value.lower().startswith("multipart/form-data") for value in _values(headers, b"content-type"))

    def read(self, text: str, headers: Headers) -> UploadPolicy:
        """The policy with this text, if a request with these headers may use it. Raises InvalidPolicy."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise InvalidPolicy("The policy is not `base64url(JSON).signature`, without padding.", field=FIELD)
        if not self._signer.has_signed(METHOD, PATH, [(FIELD, found[1])], found[2]):
            raise InvalidPolicy("The signature is not that of this policy.", field=FIELD)
        terms = _terms(found[1])
        _check_time(terms.expires)
        _check_origin(terms.origin, _values(headers, b"origin"))
        return UploadPolicy(terms, hashlib.sha256(found[1].encode()).hexdigest())


def _terms(text: str) -> Terms:
    try:
        return Terms.model_validate_json(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except binascii.Error:
        raise InvalidPolicy("The policy is not base64 for URLs.", field=FIELD) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the JSON"
        raise InvalidPolicy(f"The policy is signed, but {place} is wrong: {first['msg']}.", field=FIELD) from None


def _check_time(expires: int) -> None:
    left = expires - time.time()
    if left <= 0:
        raise InvalidPolicy("The policy has expired.", field=FIELD)
    if left > LONGEST_SECONDS + CLOCKS_DIFFER_SECONDS:
        raise InvalidPolicy("The policy expires in more than 7 days.", field=FIELD)


def _check_origin(origin: str | None, given: Sequence[str]) -> None:
    if origin is not None and list(given) != [origin]:
        raise InvalidPolicy("The policy is for pages of another origin.", field=FIELD)


def _values(headers: Headers, name: bytes) -> list[str]:
    return [value.decode("latin-1") for one, value in headers if one == name]

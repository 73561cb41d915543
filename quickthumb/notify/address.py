"""Email addresses: which texts are one, and which of them may be written to."""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from quickthumb.model.errors import InvalidParameter

LONGEST = 254
LONGEST_LOCAL = 64
# What browsers take in <input type=email> (HTML, "valid e-mail address"): one plain address, in ASCII. No comments,
# no quoted text, no list, nothing that could end a header or an SMTP command.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_ADDRESS = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@{_LABEL}(?:\.{_LABEL})*")


def checked_address(text: str) -> str:
    """The one plain address that the text is. Raises InvalidParameter."""
    found = _ADDRESS.fullmatch(text) if len(text) <= LONGEST else None
    if found is None or len(found[1]) > LONGEST_LOCAL:
        raise InvalidParameter("It must be one email address, such as ada@example.com.", field="email")
    return text


def is_allowed(address: str, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns, in which `*` stands for any text, admits the whole address; case says nothing."""
    return any(fnmatchcase(address.lower(), pattern.lower()) for pattern in patterns)

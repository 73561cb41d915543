"""Header values of the form `value; name=word; name="quoted words"` (RFC 9110, 5.6.6, and RFC 8187)."""

import re
import unicodedata
from urllib.parse import unquote

# A closing quotation mark may be missing: the value then goes to the end.
_PARAMETER = re.compile(r';[ \t]*([^\s=;"]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"?|([^;"]*))', re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\])')
_EXTENDED = re.compile(r"(utf-8|iso-8859-1)'[^']*'(.*)", re.IGNORECASE | re.DOTALL)

MAX_FILENAME_CHARACTERS = 255
# Control, format (which holds the marks that turn the direction of writing), surrogate, private and unassigned.
INVISIBLE = "C"


def split_header_value(text: str) -> tuple[str, dict[str, str]]:
    """The value before the first semicolon, in small letters, and its parameters; of repeated ones the first counts."""
    parameters: dict[str, str] = {}
    for name, quoted, word in _PARAMETER.findall(text):
        # Browsers leave a backslash in a quoted file name as it is, so only \" and \\ are escapes.
        parameters.setdefault(name.lower(), _ESCAPED.sub(r"\1", quoted) or word.strip())
    return text.partition(";")[0].strip().lower(), parameters


def decode_extended(text: str) -> str | None:
    """The text of an extended parameter, as in `filename*=UTF-8''na%C3%AFve.jpg`; None if it is none."""
    match = _EXTENDED.fullmatch(text)
    return unquote(match[2], encoding=match[1], errors="replace") if match else None


def clean_filename(given: str) -> str | None:
    """The last part of `given` without control characters, at most 255 characters; None if nothing is left.

    Both slashes part directories, since browsers of Windows have sent whole paths. An overlong name keeps its end,
    so that its extension can still be seen.
    """
    last = given.replace("\\", "/").rpartition("/")[2]
    shown = "".join(character for character in last if not unicodedata.category(character).startswith(INVISIBLE))
    shown = shown.strip()[-MAX_FILENAME_CHARACTERS:].strip()
    return None if shown in ("", ".", "..") else shown

"""Parses header values (`value; name=word; name="quoted words"`: RFC 9110, 5.6.6, and RFC 8187); cleans file names."""

import re
import unicodedata
from collections.abc import Mapping
from urllib.parse import unquote

# Without its closing quotation mark, a value runs to the end.
_PARAMETER = re.compile(r';[ \t]*([^\s=;"]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"?|([^;"]*))', re.DOTALL)
_ESCAPED = re.compile(r'\\(["\\])')
_EXTENDED = re.compile(r"(utf-8|iso-8859-1)'[^']*'(.*)", re.IGNORECASE | re.DOTALL)

MAX_FILENAME_CHARACTERS = 255
# The Unicode categories control, format (which includes the bidirectional marks), surrogate, private use, unassigned.
INVISIBLE = "C"


def split_header_value(text: str) -> tuple[str, dict[str, str]]:
    """The value before the first semicolon, in lower case, and the parameters. Of a repeated one, the first counts."""
    parameters: dict[str, str] = {}
    for name, quoted, word in _PARAMETER.findall(text):
        # Browsers do not escape a backslash in a quoted file name, so only \" and \\ count as escapes.
        value = _ESCAPED.sub(r"\1", quoted) if "\\" in quoted else quoted
        parameters.setdefault(name.lower(), value or word.strip())
    return text.partition(";")[0].strip().lower(), parameters


def decode_extended(text: str) -> str | None:
    """The text of an extended parameter, as in `filename*=UTF-8''na%C3%AFve.jpg`; None if it is not one."""
    match = _EXTENDED.fullmatch(text)
    return unquote(match[2], encoding=match[1], errors="replace") if match else None


def given_filename(parameters: Mapping[str, str]) -> str | None:
    """The cleaned file name among the parameters of a Content-Disposition header; None if there is none."""
    return clean_filename(decode_extended(parameters.get("filename*", "")) or parameters.get("filename", ""))


def clean_filename(given: str) -> str | None:
    """A client's file name, safe to show: its last path segment without invisible characters; None if nothing is left.

    Both slashes separate folders, because some browsers on Windows send whole paths. A name of more than 255 characters
    keeps its end, and with it its extension.
    """
    last = given.replace("\\", "/").rpartition("/")[2]
    if not last.isprintable():
        last = "".join(character for character in last if not unicodedata.category(character).startswith(INVISIBLE))
    shown = last.strip()[-MAX_FILENAME_CHARACTERS:].strip()
    return None if shown in ("", ".", "..") else shown

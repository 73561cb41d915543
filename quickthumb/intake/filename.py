"""The name a client gives its file: something to show, cleaned of everything that could do harm."""

import unicodedata

MOST_CHARACTERS = 255
# Control, format (which holds the marks that turn the direction of writing), surrogate, private and unassigned.
INVISIBLE = "C"


def clean_filename(given: str) -> str | None:
    """The last part of `given` without control characters, at most 255 characters; None if nothing is left.

    Both slashes part directories, since browsers of Windows have sent whole paths. An overlong name keeps its end,
    so that its extension can still be seen.
    """
    last = given.replace("\\", "/").rpartition("/")[2]
    shown = "".join(character for character in last if not unicodedata.category(character).startswith(INVISIBLE))
    shown = shown.strip()[-MOST_CHARACTERS:].strip()
    return None if shown in ("", ".", "..") else shown

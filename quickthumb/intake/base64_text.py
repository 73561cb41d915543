"""Decodes base64 (RFC 4648) inside a JSON string as it arrives."""

import binascii
import contextlib

from quickthumb.model.errors import MalformedRequest

WHITESPACE = b" \t\r\n"
# Browsers' FileReader starts its result with `data:image/png;base64,`.
DATA_URL = b"data:"
MAX_DATA_URL_BYTES = 256
MAX_ESCAPE_BYTES = 6
# The alphabet for URLs (RFC 4648, section 5) differs from the usual one in two characters.
FROM_URL_ALPHABET = bytes.maketrans(b"-_", b"+/")
# What may follow a backslash: the slash (PHP escapes it) and whitespace (MIME encoders break lines), which is dropped.
SHORT_ESCAPES = {b"/": b"/", b"n": b"", b"r": b"", b"t": b""}
# What may follow `\u`: any ASCII character. .NET escapes the plus this way; other encoders escape more.
LONG_ESCAPES = {f"{code:04x}".encode(): bytes([code]) for code in range(128)}


class Base64Text:
    """Decodes the inside of a base64 JSON string, fed in pieces of any size.

    Allows whitespace anywhere, a data URL's prefix at the start, and missing padding at the end. Both alphabets of
    RFC 4648 count; any other character raises MalformedRequest.
    """

    def __init__(self) -> None:
        self._escape = b""
        self._beginning: bytes | None = b""
        self._rest = b""
        self._padded = False

    def feed(self, text: bytes) -> bytes:
        """Decodes as much as possible of the next piece of `text`, which still has its JSON escapes."""
        text = self._escape + text
        # An escape that the chunk cuts in two waits for the next chunk.
        cut = text.rfind(b"\\", max(0, len(text) - MAX_ESCAPE_BYTES + 1))
        if cut < 0 or _is_whole(text[cut:]):
            cut = len(text)
        self._escape = text[cut:]
        return self._decode(self._skip_data_url(_unescape(text[:cut])))

    def close(self) -> bytes:
        """Decodes the last bytes, at the end of the text. Raises MalformedRequest if the text is incomplete."""
        if self._escape:
            raise _invalid()
        beginning, self._beginning = self._beginning or b"", None
        if beginning.startswith(DATA_URL):
            raise _invalid()
        decoded = self._decode(beginning)
        if not self._rest:
            return decoded
        if self._padded:
            raise _invalid()
        return decoded + _decode_whole(self._rest + b"=" * (-len(self._rest) % 4))

    def _skip_data_url(self, text: bytes) -> bytes:
        if self._beginning is None:
            return text
        text = (self._beginning + text).lstrip(WHITESPACE)
        if text[: len(DATA_URL)].lower() != DATA_URL[: len(text)]:
            self._beginning = None
            return text
        scheme, comma, after = text.partition(b",")
        if len(scheme) > MAX_DATA_URL_BYTES or (comma and not scheme.lower().endswith(b";base64")):
            raise _invalid()
        self._beginning = None if comma else text
        return after

    def _decode(self, text: bytes) -> bytes:
        if not text:
            return b""
        text = self._rest + _strip_whitespace(text)
        whole = len(text) - len(text) % 4
        self._rest = text[whole:]
        if self._padded and text:
            raise _invalid()
        decoded = _decode_whole(text[:whole])
        self._padded = self._padded or text[:whole].endswith(b"=")
        return decoded


def _is_whole(escape: bytes) -> bool:
    return len(escape) >= (MAX_ESCAPE_BYTES if escape[1:2] == b"u" else 2)


def _unescape(text: bytes) -> bytes:
    if b"\\" not in text:
        return text
    first, *escaped = text.split(b"\\")
    return first + b"".join([_resolve(piece) for piece in escaped])


def _resolve(piece: bytes) -> bytes:
    """Resolves the escape at the start of `piece`; its backslash is already gone."""
    short = SHORT_ESCAPES.get(piece[:1])
    if short is not None:
        return short + piece[1:]
    long = LONG_ESCAPES.get(piece[1:5].lower()) if piece[:1] == b"u" else None
    if long is None:
        raise _invalid()
    return long + piece[5:]


def _strip_whitespace(text: bytes) -> bytes:
    # Looking first is much faster than removing whitespace that is not there.
    return text.translate(None, WHITESPACE) if any(byte in text for byte in WHITESPACE) else text


def _decode_whole(text: bytes) -> bytes:
    """Decodes whole groups of four characters.

    The lenient decoder is faster. It skips bad characters, so its result is then too short or it fails, and the strict
    one decides.
    """
    with contextlib.suppress(binascii.Error):
        decoded = binascii.a2b_base64(text)
        if 4 * len(decoded) == 3 * len(text):
            return decoded
    try:
        return binascii.a2b_base64(text.translate(FROM_URL_ALPHABET), strict_mode=True)
    except binascii.Error:
        raise _invalid() from None


def _invalid() -> MalformedRequest:
    return MalformedRequest("The image is not valid base64.", field="data")

"""What well-known uploaders and web frameworks put into a form by themselves, beside the fields that the page sets.

This is the only list of it. A field that is not on it and that is not ours either is an error: it may be a misspelling.
"""

import re
from collections.abc import Iterable

from quickthumb.intake.parts import Field
from quickthumb.model.errors import MalformedRequest

# The names that uploaders give the part with the file by default, if it is not called `file`.
FILE_PARTS = ("filepond", "qqfile", "files[]")

# Who sends the fields, and a pattern for their names.
FIELDS = (
    ("Dropzone", r"dz(uuid|chunkindex|totalfilesize|chunksize|currentchunksize|totalchunkcount|chunkbyteoffset)"),
    ("Fine Uploader", r"qq(uuid|filename|totalfilesize|partindex|partbyteoffset|chunksize|totalparts|resume)"),
    ("Flow.js, Resumable.js: their numbers", r"(flow|resumable)(ChunkNumber|(Current)?ChunkSize|Total(Size|Chunks))"),
    ("Flow.js, Resumable.js: the file", r"(flow|resumable)(Identifier|Filename|RelativePath|Type)"),
    ("FilePond: its metadata", r"filepond"),
    ("Plupload", r"chunks?"),
    ("Uppy", r"relativePath"),
    ("Rails", r"authenticity_token|utf8|commit|_method"),
    ("Django", r"csrfmiddlewaretoken"),
    ("Laravel, Symfony", r"_token|_csrf_token"),
    ("Flask-WTF, Tornado", r"csrf_token|_xsrf"),
    ("Spring, Express", r"_csrf"),
    ("ASP.NET", r"__RequestVerificationToken"),
    ("PHP", r"MAX_FILE_SIZE|UPLOAD_IDENTIFIER|PHP_SESSION_UPLOAD_PROGRESS"),
    ("browsers, and the button of a form", r"_charset_|submit"),
)
_FOREIGN = re.compile("|".join(f"(?:{pattern})" for _, pattern in FIELDS))
# In how many pieces an uploader sends a file, each in a request of its own.
_PIECES = frozenset({"chunks", "dztotalchunkcount", "qqtotalparts", "flowTotalChunks", "resumableTotalChunks"})
# Uppy and Plupload send these two beside each other; elsewhere, `name` is the name of an output.
_NAME, _TYPE = "name", "type"
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+|null|undefined|")
_OUTPUT_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


def without_uploaders_fields(fields: Iterable[Field], filename: str | None) -> list[Field]:
    """The fields that a person or a program has set: all except those that uploaders send by themselves.

    `filename` is the image's own. Raises MalformedRequest if the file is one of several pieces, since a job needs all.
    """
    given = list(fields)
    foreign = [field for field in given if _is_foreign(field)]
    for field in foreign:
        if field.name in _PIECES and field.value not in ("", "0", "1"):
            raise MalformedRequest(
                "The image comes in several pieces; switch chunked uploads off in the uploader.", field=field.name
            )
    kept = [field for field in given if field not in foreign]
    return [field for field in kept if not _is_file_name(field, filename, beside_others=bool(foreign))]


def _is_foreign(field: Field) -> bool:
    if field.name == _TYPE:
        return isinstance(field.value, str) and _MEDIA_TYPE.fullmatch(field.value) is not None
    return _FOREIGN.fullmatch(field.name) is not None


def _is_file_name(field: Field, filename: str | None, *, beside_others: bool) -> bool:
    """Whether it is an uploader's `name`, which is the name of the file, and not the name of an output."""
    if field.name != _NAME or not isinstance(field.value, str):
        return False
    if _OUTPUT_NAME.fullmatch(field.value):
        return beside_others and field.value == filename
    return field.value == filename or (beside_others and "." in field.value)

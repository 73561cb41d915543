"""Reads from a query which jobs are wanted: filters or ids, and the cursor."""

import difflib
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar

from starlette.datastructures import QueryParams

from quickthumb.imaging.formats import FORMATS
from quickthumb.model.errors import InvalidParameter
from quickthumb.model.job import Status, is_id
from quickthumb.model.order import TAG_MEANING, is_tag
from quickthumb.model.output import FORMAT_ALIASES
from quickthumb.model.selection import LONGEST_FILENAME, MOST_CONTEXTS, ContextValue, Selection
from quickthumb.service.bulk import MOST_NAMED
from quickthumb.web.middleware.tenants import TENANT

JOB, DRY_RUN, CONTEXT = "job", "dry_run", "context"
FILTERS = ("status", "tag", "before", "after", "format", "error", "filename", CONTEXT)
BULK_PARAMETERS = (*FILTERS, JOB, DRY_RUN, "limit", "cursor", TENANT)
REPEATABLE = frozenset({CONTEXT, JOB})
FORMAT_NAMES = tuple(row.name for row in FORMATS)
CODE = r"[a-z][a-z0-9_]{0,63}"
_YES_OR_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}

Value = TypeVar("Value")


def selection_in(query: QueryParams) -> Selection:
    """The jobs that the filters of a query select. Raises InvalidParameter."""
    return Selection(
        status=status_in(query),
        before=_one(query, "before", lambda text: _moment(text, "before")),
        tag=_one(query, "tag", _tag),
        after=_one(query, "after", lambda text: _moment(text, "after")),
        format=_one(query, "format", _format),
        error=_one(query, "error", _code),
        filename=_one(query, "filename", _filename),
        context=_contexts(query.getlist(CONTEXT)),
    )


def status_in(query: QueryParams) -> Status | None:
    """The status that a query names. Raises InvalidParameter."""
    return _one(query, "status", _status)


def named_in(query: QueryParams) -> tuple[str, ...]:
    """The ids of the jobs that a query names, each once. Raises InvalidParameter."""
    job_ids = query.getlist(JOB)
    if len(job_ids) > MOST_NAMED:
        raise InvalidParameter(f"One call takes at most {MOST_NAMED} jobs.", field=JOB)
    if not all(map(is_id, job_ids)):
        raise InvalidParameter("job must be the id of a job.", field=JOB)
    return tuple(dict.fromkeys(job_ids))


def is_dry_run(query: QueryParams) -> bool:
    """Whether nothing is to be changed. Raises InvalidParameter."""
    text = query.get(DRY_RUN, "no")
    if text.lower() not in _YES_OR_NO:
        raise InvalidParameter("dry_run must be yes or no.", field=DRY_RUN)
    return _YES_OR_NO[text.lower()]


def check_names(query: QueryParams) -> None:
    """Refuses names that are misspelled or given twice: a filter that is overlooked would select too many jobs."""
    for name, _ in query.multi_items():
        if name not in BULK_PARAMETERS:
            nearest = difflib.get_close_matches(name, BULK_PARAMETERS, n=1)
            suggestion = f" Did you mean {nearest[0]}?" if nearest else ""
            raise InvalidParameter(f"There is no such parameter.{suggestion}", field=name)
        if name not in REPEATABLE and len(query.getlist(name)) > 1:
            raise InvalidParameter(f"{name} was given more than once.", field=name)


def cursor_in(query: QueryParams) -> str | None:
    """The entry after which to continue. Raises InvalidParameter."""
    text = query.get("cursor")
    if text is None:
        return None
    moment, colon, job_id = text.partition(":")
    if not (colon and moment.isascii() and moment.isdigit() and is_id(job_id)):
        raise InvalidParameter("cursor is not valid; use the `cursor` of an earlier page.", field="cursor")
    return text


def whole(text: str, field: str, lowest: int, highest: int | None) -> int:
    """The number that a parameter is. Raises InvalidParameter."""
    if text.isascii() and text.isdigit() and len(text) <= 9:
        number = int(text)
        if lowest <= number and (highest is None or number <= highest):
            return number
    bounds = f"from {lowest} to {highest}" if highest is not None else f"of at least {lowest}"
    raise InvalidParameter(f"{field} must be a whole number {bounds}.", field=field)


def _one(query: QueryParams, name: str, read: Callable[[str], Value]) -> Value | None:
    """The one value that was given. Two are refused, since one would be ignored."""
    given = query.getlist(name)
    if len(given) > 1:
        raise InvalidParameter(f"{name} was given more than once.", field=name)
    return read(given[0]) if given else None


def _status(text: str) -> Status:
    try:
        return Status(text.upper())
    except ValueError:
        names = ", ".join(Status)
        raise InvalidParameter(f"status must be one of {names}.", field="status") from None


def _tag(text: str) -> str:
    if not is_tag(text):
        raise InvalidParameter(f"tag must have {TAG_MEANING}.", field="tag")
    return text


def _moment(text: str, field: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidParameter(f"{field} must be a time in UTC, such as 2026-01-31T12:00:00Z.", field=field)
    return moment


def _format(text: str) -> str:
    name = FORMAT_ALIASES.get(text.lower(), text.lower())
    if name not in FORMAT_NAMES:
        raise InvalidParameter(f"format must be one of {', '.join(FORMAT_NAMES)}.", field="format")
    return name


def _code(text: str) -> str:
    if not re.fullmatch(CODE, text):
        raise InvalidParameter("error must be the code of an error, such as broken_image.", field="error")
    return text


def _filename(text: str) -> str:
    if not 0 < len(text) <= LONGEST_FILENAME:
        raise InvalidParameter(f"filename must have 1 to {LONGEST_FILENAME} characters.", field="filename")
    return text


def _contexts(given: Sequence[str]) -> tuple[ContextValue, ...]:
    if len(given) > MOST_CONTEXTS:
        raise InvalidParameter(f"context may be given {MOST_CONTEXTS} times.", field=CONTEXT)
    return tuple(map(ContextValue.read, given))

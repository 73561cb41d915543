"""Sets up logging: lines for people on a terminal, JSON elsewhere. Each line has the ids of what it is about.

Every request and every attempt runs in a task of its own. `begin` and `mark` attach ids to the task, and every line
that the task logs from then on has them, whichever module logs it.

Clients choose names, paths and headers, so no control character reaches a line: it could forge another line, or act on
the terminal that shows it.
"""

import json
import logging
import logging.config
import sys
import textwrap
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

_CONTROLS = [
    *range(0x20),  # C0, with CR, LF and ESC
    *range(0x7F, 0xA0),  # DEL, and C1 with another line break and CSI
    *range(0x2028, 0x202F),  # Unicode's own line breaks, and marks that reorder text
    *range(0x2066, 0x206A),  # more of these marks
]
_ESCAPES = {code: f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" for code in _CONTROLS if code != ord("\t")}
# arq logs each call twice, and its health every few seconds; QuickThumb logs one line per attempt, which says more.
_CHATTER = ("%6.2fs →", "%6.2fs ←", "%6.2fs ↻", "recording health")
# The name that arq's command gives to its own handler.
_ARQ_HANDLER = "arq.standard"

_ids: ContextVar[Mapping[str, str]] = ContextVar("ids", default={})  # noqa: B039 - nobody changes it, see `mark`

OWN_LOGGERS = ("quickthumb", "arq")


def begin(**ids: str) -> None:
    """From here on, the lines that this task logs have these ids, and no others."""
    _ids.set(ids)


def mark(**ids: str | None) -> None:
    """From here on, the lines that this task logs have these ids as well. Ids that are None are left out."""
    _ids.set({**_ids.get(), **{name: value for name, value in ids.items() if value is not None}})


def escaped(text: str) -> str:
    """The text with every control character but the tab written out, as in `\\x1b`."""
    # Looking first is much faster, and nearly all texts have none: no control character is printable.
    return text if text.isprintable() else text.translate(_ESCAPES)


class Record(logging.LogRecord):
    """A record whose message has no control characters, whichever logger made it and whichever formatter writes it.

    Some formatters, such as uvicorn's for its access log, write the arguments and not the message.
    """

    def __init__(self, *values: Any, **named: Any) -> None:
        super().__init__(*values, **named)
        if isinstance(self.args, tuple):
            self.args = tuple(escaped(value) if isinstance(value, str) else value for value in self.args)
        if self.exc_info and self.exc_info[0]:
            self.exc_text = _indented(escaped_lines(logging.Formatter().formatException(self.exc_info)))

    def getMessage(self) -> str:  # noqa: N802 - logging's name
        message = super().getMessage()
        # uvicorn has a second text for terminals, with colors around its arguments.
        return message if self.msg is getattr(self, "color_message", None) else escaped(message)


class TextLines(logging.Formatter):
    """`2026-01-31 12:00:00.004 INFO    message`, and after it the ids that the message does not contain.

    The lines of a traceback are indented, so that no exception's text looks like a line of the log.
    """

    default_msec_format = "%s.%03d"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        line = super().formatMessage(record)
        return escaped(line + "".join(f" {name}={value}" for name, value in _ids.get().items() if value not in line))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        return _indented(escaped_lines(super().formatException(ei)))


def escaped_lines(text: str) -> str:
    """The text with control characters written out, except for its line breaks."""
    return "\n".join(map(escaped, text.split("\n")))


def _indented(text: str) -> str:
    return textwrap.indent(text, "    ", lambda line: True)


class JsonLines(logging.Formatter):
    """One JSON object per line: `time` (UTC), `level`, `logger`, `message`, the ids, and an `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="microseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": escaped(record.getMessage()),
            **_ids.get(),
        }
        if record.exc_info and record.exc_info[0] is not None:
            told["exception"] = escaped_lines(self.formatException(record.exc_info))
        return json.dumps(told)


def dictionary(line_format: str, *, loggers: Iterable[str] = OWN_LOGGERS) -> dict[str, Any]:
    """What `logging.config.dictConfig`, and so uvicorn, takes to log to standard error from INFO up.

    The format is `text`, `json`, or `auto`: `text` on a terminal and `json` elsewhere.
    """
    as_text = line_format == "text" or (line_format == "auto" and sys.stderr.isatty())
    lines = TextLines if as_text else JsonLines
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"lines": {"()": f"{lines.__module__}.{lines.__qualname__}"}},
        "handlers": {"lines": {"class": "logging.StreamHandler", "formatter": "lines", "stream": "ext://sys.stderr"}},
        "root": {"handlers": ["lines"], "level": "WARNING"},
        "loggers": {name: {"level": "INFO"} for name in loggers},
    }


def configure(line_format: str) -> None:
    """Logs to standard error from INFO up, unless the process has already configured logging. In any case, no record
    has control characters from then on."""
    logging.setLogRecordFactory(Record)
    if logging.getLogger().handlers:
        return
    logging.config.dictConfig(dictionary(line_format))
    for name in ("arq.worker", "arq.connections"):
        logging.getLogger(name).addFilter(_FOR_ARQ)


class _ForArq(logging.Filter):
    """Drops arq's chatter, and gives its other lines the format of all lines.

    arq's command gives its logger a handler once it has imported the worker's settings, and so after `configure`.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        arq = logging.getLogger("arq")
        for handler in [handler for handler in arq.handlers if handler.get_name() == _ARQ_HANDLER]:
            arq.removeHandler(handler)
        return not str(record.msg).startswith(_CHATTER)


_FOR_ARQ = _ForArq()

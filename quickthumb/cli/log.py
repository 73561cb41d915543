"""One readable log of several processes: `HH:MM:SS name  | line`, with a color for each name."""

import json
import os
import re
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import TextIO

from quickthumb.logs import escaped

OWN_NAME = "quickthumb"

# Cyan, green, yellow, magenta, blue: readable on dark and on light backgrounds.
COLORS = ("36", "32", "33", "35", "34")
BOLD = "1"
RESET = "\x1b[0m"

COLOR_CODE = re.compile(r"\x1b\[[0-9;:]*m")


def wants_color(stream: TextIO, environment: Mapping[str, str]) -> bool:
    """Whether to use color: never with NO_COLOR, always with FORCE_COLOR, otherwise on a terminal."""
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR"):
        return True
    return stream.isatty() and environment.get("TERM") != "dumb"


class Log:
    """Writes the lines of the processes `names` to `stream`."""

    def __init__(self, stream: TextIO, names: Iterable[str], *, colored: bool) -> None:
        self._stream = stream
        self._colored = colored
        self._colors = {OWN_NAME: BOLD}
        self._colors.update({name: COLORS[i % len(COLORS)] for i, name in enumerate(names)})
        self._width = max(map(len, self._colors))

    def line(self, name: str, text: str) -> None:
        """Write one line of the process `name`. The colors in it are kept only if the log is colored."""
        prefix = f"{time.strftime('%H:%M:%S')} {name:<{self._width}} |"
        if self._colored:
            prefix = f"\x1b[{self._colors.get(name, BOLD)}m{prefix}{RESET}"
        self._write(f"{prefix} {self._clean(text)}\n")

    def tell(self, text: str) -> None:
        """Write one line of the supervisor itself."""
        self.line(OWN_NAME, text)

    def _clean(self, text: str) -> str:
        pieces = [escaped(piece) for piece in COLOR_CODE.split(text)]
        if not self._colored or len(pieces) == 1:
            return "".join(pieces)
        codes = [*COLOR_CODE.findall(text), RESET]  # a color left on ends with its line
        return "".join(piece + code for piece, code in zip(pieces, codes, strict=True))

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            # The reader is gone (a closed terminal, `| head`): the service goes on without a log.
            with suppress(OSError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)


class JsonLog(Log):
    """The same for programs: one JSON object per line, with the process that logged it as `process`."""

    def line(self, name: str, text: str) -> None:
        head = {"process": name}
        if not text.startswith("{"):  # not from a process that writes JSON itself
            moment = datetime.now(UTC).isoformat()
            head |= {"time": moment, "level": "INFO", "message": COLOR_CODE.sub("", text)}
        rest = f", {text[1:]}" if text.startswith("{") else "}"
        self._write(f"{json.dumps(head)[:-1]}{rest}\n")

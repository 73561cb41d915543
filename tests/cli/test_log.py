import io
import json
import os
import re
from pathlib import Path

import pytest

from quickthumb.cli.log import JsonLog, Log, wants_color


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def written(text: str, *, colored: bool = False) -> str:
    stream = io.StringIO()
    Log(stream, ["web", "worker"], colored=colored).line("web", text)
    return stream.getvalue()


def test_a_line_says_when_and_who() -> None:
    assert re.fullmatch(r"\d\d:\d\d:\d\d web        \| hello\n", written("hello"))


def test_each_process_has_a_color_of_its_own() -> None:
    stream = io.StringIO()
    log = Log(stream, ["web", "worker"], colored=True)
    for name in ("web", "worker", "quickthumb"):
        log.line(name, "hello")
    assert len(set(re.findall(r"^\x1b\[(\d+)m", stream.getvalue(), re.MULTILINE))) == 3


def test_colors_of_a_process_are_dropped_or_ended_with_their_line() -> None:
    assert written("\x1b[31mred\x1b[0m, \x1b[1mbold").endswith("| red, bold\n")
    assert written("\x1b[31mred", colored=True).endswith(
        "| \x1b[0m \x1b[31mred\x1b[0m\n".replace("| \x1b[0m", "|\x1b[0m")
    )


def test_a_line_cannot_forge_another_or_move_the_cursor() -> None:
    assert written("cat\r12:00:00 web | all is well\x1b[2J\x07").endswith(
        r"| cat\x0d12:00:00 web | all is well\x1b[2J\x07" + "\n"
    )


@pytest.mark.parametrize(
    ("terminal", "environment", "colored"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"TERM": "dumb"}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (False, {"FORCE_COLOR": "1"}, True),
        (True, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_when_there_is_color(terminal: bool, environment: dict[str, str], colored: bool) -> None:
    assert wants_color(Terminal() if terminal else io.StringIO(), environment) is colored


def test_a_reader_that_goes_away_does_not_end_the_service(tmp_path: Path) -> None:
    readable, writable = os.pipe()
    with os.fdopen(writable, "w") as stream:
        log = Log(stream, ["web"], colored=False)
        os.close(readable)
        log.tell("nobody reads this")
        log.tell("nor this")


def test_a_log_for_programs_has_one_object_per_line_whoever_wrote_it() -> None:
    stream = io.StringIO()
    log = JsonLog(stream, ["redis", "web"], colored=False)
    log.line("web", '{"time": "2026-01-31T12:00:00+00:00", "message": "hello"}')
    log.line("redis", '\x1b[1mReady\x1b[0m\rto "accept"')
    log.tell("stopped")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["process"], line["message"]) for line in lines] == [
        ("web", "hello"),
        ("redis", 'Ready\rto "accept"'),
        ("quickthumb", "stopped"),
    ]
    assert all(line["time"] for line in lines)

import re
import shlex
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.__main__ import __doc__ as own_words
from benchmarks.__main__ import chosen, parser, stacks_asked_for, words


def test_lists_are_separated_by_commas() -> None:
    arguments = parser().parse_args(["--only", "saturated,idle", "--stacks", "celery", "--rounds", "2"])
    assert (arguments.only, arguments.stacks, arguments.rounds) == (["saturated", "idle"], ["celery"], 2)
    assert words("a,,b,") == ["a", "b"]


@pytest.mark.parametrize("text", [report.PAGE.read_text(encoding="utf-8"), own_words], ids=["page", "help"])
def test_the_commands_that_are_shown_are_understood(text: str) -> None:
    commands = re.findall(r"make bench(?: ARGS=(\".*?\"|\S+))?", text)
    assert len(commands) > 2
    for arguments in commands:
        if "--help" not in arguments:
            parser().parse_args(shlex.split(arguments.strip('"')))


def test_what_is_chosen_keeps_the_known_order() -> None:
    assert chosen(["c", "a"], ["a", "b", "c"], ["b"]) == ["a", "c"]
    assert chosen(None, ["a", "b", "c"], ["b"]) == ["b"]


def test_an_unknown_name_ends_the_program_and_tells_the_known_ones() -> None:
    with pytest.raises(SystemExit, match="unknown: x; known: a, b"):
        chosen(["x"], ["a", "b"], [])


def test_another_checkout_is_measured_beside_whatever_was_asked_for(tmp_path: Path) -> None:
    def names(*line: str) -> list[str]:
        return [stack.name for stack in stacks_asked_for(parser().parse_args(line))]

    assert names("--stacks", "celery,quickthumb") == ["quickthumb", "celery"]
    assert names("--stacks", "celery", "--before", str(tmp_path)) == ["before", "celery"]
    assert names("--quick", "--before", str(tmp_path)) == ["quickthumb", "before", "celery", "rq-simple"]
    assert "before" not in names("--quick")

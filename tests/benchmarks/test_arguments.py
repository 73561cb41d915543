import pytest

from benchmarks.__main__ import chosen, parser, words


def test_lists_are_separated_by_commas() -> None:
    arguments = parser().parse_args(["--only", "saturated,idle", "--stacks", "celery", "--rounds", "2"])
    assert (arguments.only, arguments.stacks, arguments.rounds) == (["saturated", "idle"], ["celery"], 2)
    assert words("a,,b,") == ["a", "b"]


def test_what_is_chosen_keeps_the_known_order() -> None:
    assert chosen(["c", "a"], ["a", "b", "c"], ["b"]) == ["a", "c"]
    assert chosen(None, ["a", "b", "c"], ["b"]) == ["b"]


def test_an_unknown_name_ends_the_program_and_tells_the_known_ones() -> None:
    with pytest.raises(SystemExit, match="unknown: x; known: a, b"):
        chosen(["x"], ["a", "b"], [])

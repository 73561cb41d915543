"""Which work comes next: the oldest that may run; large work never takes every thread."""

import threading
from dataclasses import dataclass

import pytest

from quickthumb.sandbox.lanes import Lanes


@dataclass(eq=False)
class Piece:
    """Work by name."""

    name: str
    is_large: bool = False


def lanes_of(count: int, *pieces: Piece) -> Lanes[Piece]:
    lanes: Lanes[Piece] = Lanes(count)
    for piece in pieces:
        lanes.put(piece)
    return lanes


def large(*names: str) -> list[Piece]:
    return [Piece(name, is_large=True) for name in names]


def small(*names: str) -> list[Piece]:
    return [Piece(name) for name in names]


def taken(lanes: Lanes[Piece], count: int) -> list[Piece]:
    """The next `count` pieces; the test hangs if fewer may run."""
    found = []
    for _ in range(count):
        piece = lanes.take()
        assert piece is not None
        found.append(piece)
    return found


def names_of(pieces: list[Piece]) -> str:
    return "".join(piece.name for piece in pieces)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_all_threads_but_one_may_run_large_work(count: int) -> None:
    lanes = lanes_of(count, *large("a", "b", "c", "d"), *small("x"))
    assert lanes.threads == count + 1
    assert names_of(taken(lanes, lanes.threads)) == "abc"[:count] + "x"


def test_the_oldest_comes_first_as_long_as_it_may_run() -> None:
    lanes = lanes_of(1, *small("x"), *large("a", "b"), *small("y", "z"))
    first, second = taken(lanes, 2)
    assert names_of([first, second]) == "xa"
    assert lanes.end(first)
    third = taken(lanes, 1)
    assert names_of(third) == "y"
    assert lanes.end(second)
    assert names_of(taken(lanes, 1)) == "b"


def test_large_work_is_not_overtaken_for_ever() -> None:
    lanes = lanes_of(1, *large("a"), *small(*"uvwxyz"), *large("b"))
    running = taken(lanes, 2)
    assert names_of(running) == "au"
    for piece in running:
        lanes.end(piece)
    # b waits for the small ones that came before it, and for none that comes later.
    for name in "123":
        lanes.put(Piece(name))
    order = []
    for _ in range(6):
        (piece,) = taken(lanes, 1)
        order.append(piece)
        lanes.end(piece)
    assert names_of(order) == "vwxyzb"


def test_no_more_small_pieces_run_than_there_should() -> None:
    lanes = lanes_of(1, *small("x", "y"), *large("a"))
    assert names_of(taken(lanes, 2)) == "xa"


def test_what_is_withdrawn_never_runs() -> None:
    a, b, c = large("a", "b", "c")
    lanes = lanes_of(1, a, b, c)
    assert taken(lanes, 1) == [a]
    assert not lanes.withdraw(a)
    assert lanes.withdraw(b)
    assert not lanes.withdraw(b)
    lanes.end(a)
    assert taken(lanes, 1) == [c]


def test_what_is_abandoned_makes_room_and_its_end_counts_no_more() -> None:
    a, b = large("a", "b")
    lanes = lanes_of(1, a, b)
    assert taken(lanes, 1) == [a]
    assert lanes.abandon(a)
    assert taken(lanes, 1) == [b]
    assert not lanes.end(a)
    assert lanes.end(b)
    assert not lanes.abandon(b)


def test_closed_lanes_give_what_waits_and_then_none() -> None:
    a, b = large("a", "b")
    lanes = lanes_of(1, a, b)
    assert taken(lanes, 1) == [a]
    lanes.close()
    found: list[Piece | None] = []
    other = threading.Thread(target=lambda: found.append(lanes.take()))
    other.start()
    assert not found
    lanes.end(a)
    other.join(20)
    assert found == [b]
    lanes.end(b)
    assert lanes.take() is None

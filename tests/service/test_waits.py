"""The places for requests that wait."""

from quickthumb.service.waits import Waits

HERE, THERE = "192.0.2.1", "192.0.2.2"


def test_a_place_is_free_again_once_it_is_left() -> None:
    waits = Waits(most=2, most_per_address=1)
    with waits.place(HERE) as first:
        assert first
        with waits.place(HERE) as second:
            assert not second
        with waits.place(THERE) as other, waits.place("192.0.2.3") as too_many:
            assert (other, too_many) == (True, False)
    with waits.place(HERE) as again:
        assert again


def test_requests_without_an_address_count_in_all() -> None:
    waits = Waits(most=2, most_per_address=1)
    with waits.place(None) as first, waits.place("") as second, waits.place(HERE) as third:
        assert (first, second, third) == (True, True, False)


def test_nobody_waits_where_nobody_may() -> None:
    with Waits(most=0).place(HERE) as placed:
        assert not placed

import pytest

from benchmarks.figures import Spread, difference, percentile, ratio, spread, written


@pytest.mark.parametrize(("percent", "expected"), [(50, 50), (99, 99), (100, 100), (0.5, 1), (0, 1)])
def test_percentile_is_the_nearest_rank(percent: float, expected: float) -> None:
    assert percentile([*range(100, 0, -1)], percent) == expected


def test_percentile_of_one_value_is_that_value() -> None:
    assert percentile([7.5], 99) == 7.5


def test_a_ratio_is_taken_within_each_round() -> None:
    # The machine was twice as slow in the second round: the ratio is the same.
    assert ratio([10, 20, 12], [5, 10, 4]) == Spread(2, 2, 3)


def test_rounds_of_one_side_alone_do_not_count() -> None:
    assert ratio([10, 20, 1000], [5, 10]) == Spread(2, 2, 2)
    assert difference([3, 9], [1]) == Spread(2, 2, 2)


def test_a_spread_is_written_with_its_range() -> None:
    assert str(spread([3.0, 1.0, 20.0])) == "3.00 (1.00–20.0)"


@pytest.mark.parametrize(("number", "text"), [(1234.5, "1,234"), (12.34, "12.3"), (1.234, "1.23"), (0.0, "0.00")])
def test_numbers_have_about_three_digits(number: float, text: str) -> None:
    assert written(number) == text

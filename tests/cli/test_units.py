import argparse

import pytest

from quickthumb.cli.units import MOST, count, size


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1),
        ("5000000", 5_000_000),
        ("7b", 7),
        ("500kB", 500_000),
        ("5MB", 5_000_000),
        ("5mb", 5_000_000),
        ("5MiB", 5 * 1024**2),
        ("2GiB", 2 * 1024**3),
        ("1TB", 10**12),
        (str(MOST), MOST),
    ],
)
def test_a_size_is_read_with_and_without_a_unit(text: str, number: int) -> None:
    assert size(text) == number


@pytest.mark.parametrize("text", ["", "0", "0MB", "-5", "5 MB", "5.5MB", "5M", "MB", "५", "9" * 99, "1001TB"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="5MB or 5MiB"):
        size(text)


def test_a_count_is_a_whole_number_from_one_on() -> None:
    assert count("60") == 60
    for text in ("", "0", "-1", "1.5", "6_0", "५", "9" * 99):
        with pytest.raises(argparse.ArgumentTypeError, match="whole number"):
            count(text)

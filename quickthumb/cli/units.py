"""Values of options that several commands have."""

import argparse
import re
from datetime import timedelta

UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
UNIT_BYTES = {
    "": 1,
    "b": 1,
    **{f"{letter}b": 1000**power for power, letter in enumerate("kmgt", start=1)},
    **{f"{letter}ib": 1024**power for power, letter in enumerate("kmgt", start=1)},
}
# Redis' scripts count exactly up to 2**53.
MOST = 10**15


def age(text: str) -> timedelta:
    """A length of time, such as 90s, 10m, 12h or 7d."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 90s, 10m, 12h or 7d")
    return timedelta(seconds=int(found[1]) * UNIT_SECONDS[found[2]])


def count(text: str) -> int:
    """A whole number from 1 on."""
    if re.fullmatch(r"[0-9]{1,16}", text) is None or not 1 <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def size(text: str) -> int:
    """A number of bytes, such as 5000000, 5MB or 5MiB; at least 1."""
    found = re.fullmatch(r"([0-9]{1,16})([A-Za-z]*)", text)
    number = int(found[1]) * UNIT_BYTES.get(found[2].lower(), 0) if found else 0
    if not 1 <= number <= MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 5000000, 500kB, 5MB or 5MiB")
    return number

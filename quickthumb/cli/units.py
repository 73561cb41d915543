"""Values of options that several commands have."""

import argparse
import re
from datetime import timedelta

UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def age(text: str) -> timedelta:
    """A length of time, such as 90s, 10m, 12h or 7d."""
    found = re.fullmatch(r"(\d{1,6})([smhd])", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 90s, 10m, 12h or 7d")
    return timedelta(seconds=int(found[1]) * UNIT_SECONDS[found[2]])

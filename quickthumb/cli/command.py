"""What a command is."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Command:
    """One word after `quickthumb`: `add_options` declares what it takes, `run` does it and answers the exit code.

    `run` raises UserMistake, ConfigError or RedisCannotStart for what the user can put right.
    """

    name: str
    help: str
    add_options: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]

"""Options that several commands have, and how they pass options on."""

import argparse

from quickthumb.config import ENVIRONMENT_PREFIX


def add_listening_options(parser: argparse.ArgumentParser) -> None:
    """Add `--host` and `--port`."""
    parser.add_argument("--host", help="network address to listen on (default: the setting HOST, 127.0.0.1)")
    parser.add_argument(
        "--port", type=int, help="port to listen on; 0 takes a free one (default: the setting PORT, 8000)"
    )


def at_least_one(text: str) -> int:
    """An option's value as a number of processes."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("there must be at least one")
    return number


def as_environment(**options: object) -> dict[str, str]:
    """The options that were given, as environment variables: they replace those that set the same settings."""
    return {f"{ENVIRONMENT_PREFIX}{name}": str(value) for name, value in options.items() if value is not None}

"""`quickthumb COMMAND`: the list of commands, and how their errors are shown."""

import argparse
import sys
from collections.abc import Sequence

from quickthumb import __version__
from quickthumb.cli import doctor, jobs, keys, push, recover, render, serve, up
from quickthumb.cli.command import UserMistake
from quickthumb.config import ConfigError
from quickthumb.devredis import RedisCannotStart

COMMANDS = [
    up.COMMAND,
    serve.COMMAND,
    jobs.COMMAND,
    keys.COMMAND,
    doctor.COMMAND,
    recover.COMMAND,
    render.COMMAND,
    push.COMMAND,
]

MISTAKE = 1


def main(words: Sequence[str] | None = None) -> int:
    """Run the command named in `words` (default: the command line), and return the exit code.

    An error that the user can fix is one sentence on stderr and exit code 1; a wrong option is argparse's 2.
    """
    arguments = _parser().parse_args(words)
    try:
        return int(arguments.run(arguments))
    except (UserMistake, ConfigError, RedisCannotStart) as mistake:
        print(f"quickthumb: {mistake}", file=sys.stderr)
        return MISTAKE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="quickthumb",
        description="A self-hosted image service: upload images over HTTP, workers make thumbnails.",
    )
    parser.add_argument("--version", action="version", version=f"quickthumb {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        subparser = commands.add_parser(command.name, help=command.help, description=command.help)
        command.add_options(subparser)
        subparser.set_defaults(run=command.run)
    return parser

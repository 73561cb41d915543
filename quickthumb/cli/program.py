"""`quickthumb COMMAND`: the list of commands, and how their errors are shown.

Each command is a module of the same name. Only the one that is chosen is imported, since most take half a second.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from quickthumb import __version__, loading
from quickthumb.cli.command import Command, UserMistake

COMMANDS = {
    "up": "Run everything on this machine: Redis, the web process and workers.",
    "serve": "Run the web server alone, without Redis and workers.",
    "jobs": "List, show, retry, cancel or remove jobs.",
    "rerender": "Make the results of a preset anew, after it has changed.",
    "keys": "Make, list, revoke and rotate API keys.",
    "doctor": "Check the settings, the data folder, Redis and the workers.",
    "recover": "Rebuild Redis from the records on disk: queue every lost job again.",
    "render": "Render results from one image on this machine, without a running service.",
    "push": "Send the images of a folder to a service, and save the results.",
}

MISTAKE = 1


def main(words: Sequence[str] | None = None) -> int:
    """Run the command named in `words` (default: the command line), and return the exit code.

    An error that the user can fix is one sentence on stderr and exit code 1; a wrong option is argparse's 2.
    """
    words = sys.argv[1:] if words is None else words
    chosen = next((word for word in words if not word.startswith("-")), "")
    loading.pause()
    try:
        parser = _parser(chosen)
    finally:
        loading.loaded()
    arguments = parser.parse_args(words)
    try:
        return int(arguments.run(arguments))
    except UserMistake as mistake:
        print(f"quickthumb: {mistake}", file=sys.stderr)
        return MISTAKE


def _parser(chosen: str) -> argparse.ArgumentParser:
    """Knows all commands, but only the options of the chosen one."""
    parser = argparse.ArgumentParser(
        prog="quickthumb",
        description="A self-hosted image service: upload images over HTTP, workers make thumbnails.",
    )
    parser.add_argument("--version", action="version", version=f"quickthumb {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, help_text in COMMANDS.items():
        subparser = commands.add_parser(name, help=help_text, description=help_text)
        if name == chosen:
            command: Command = import_module(f"quickthumb.cli.{name}").COMMAND
            command.add_options(subparser)
            subparser.set_defaults(run=command.run)
    return parser

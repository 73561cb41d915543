"""`quickthumb push`: sends the images of a folder to a service, and saves the results in another folder.

What runs it is in `pushing/`. This module imports that only when the command is chosen: it loads an HTTP client.
"""

import argparse
import sys
from pathlib import Path

from quickthumb.cli.command import Command, UserMistake
from quickthumb.cli.options import at_least_one
from quickthumb.cli.render import add_order_options
from quickthumb.model.order import order_fields

DEFAULT_SERVER = "http://127.0.0.1:8000"
# Together with the pauses between them, a service may be away for about a minute.
DEFAULT_ATTEMPTS = 8
MISUSE = 2


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "The variable QT_API_KEY holds the API key, if the service needs one."
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="the folder with the images")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="where to put the results; also keeps how far it is"
    )
    parser.add_argument(
        "--server", default=DEFAULT_SERVER, metavar="URL", help=f"URL of the service (default: {DEFAULT_SERVER})"
    )
    parser.add_argument("--retry", action="store_true", help="try again what failed in an earlier run")
    parser.add_argument(
        "--recursive",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="go into the folders in FOLDER, and make the same ones for the results (default)",
    )
    parser.add_argument(
        "--jobs", type=at_least_one, default=4, metavar="N", help="number of images under way at once (default: 4)"
    )
    parser.add_argument(
        "--attempts",
        type=at_least_one,
        default=DEFAULT_ATTEMPTS,
        metavar="N",
        help=f"tries of each request while the service is away or overloaded (default: {DEFAULT_ATTEMPTS})",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON object per image, and one at the end")
    add_order_options(parser, order_fields())


def run(arguments: argparse.Namespace) -> int:
    """Push until everything is done, and return 0; 1 if something failed, 2 for a mistake in the command.

    Returns 130 after Ctrl-C, and 143 after SIGTERM.
    """
    from quickthumb.cli.pushing import push

    try:
        return push(arguments)
    except UserMistake as mistake:
        print(f"quickthumb: {mistake}", file=sys.stderr)
        return MISUSE


COMMAND = Command(add_options, run)

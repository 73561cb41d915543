"""`quickthumb render`: renders results from one file on this machine, with no service running.

It accepts the parameters and presets of the service, applies its limits, and uses the same engine.
"""

import argparse
import tempfile
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quickthumb.cli.command import Command, UserMistake
from quickthumb.config import Config, load
from quickthumb.model.errors import QuickThumbError
from quickthumb.model.order import Order, OrderField, order_fields
from quickthumb.model.output import Output
from quickthumb.model.schedule import FIELDS
from quickthumb.service.presets import read_presets

if TYPE_CHECKING:
    from quickthumb.imaging.engine import Made

# Fields that only a running service has a use for: nothing waits here, and nothing is kept.
OF_A_JOB = FIELDS | {"tag", "context", "keep", "dedupe", "webhook", "notify_email"}

NAME_COLUMNS = 14
HELP_COLUMNS = 100


def command(order: type[Order] = Order) -> Command:
    """The command for orders of this type, whose fields become its options."""
    fields = tuple(field for field in order_fields(order) if field.name not in OF_A_JOB)

    def add_options(parser: argparse.ArgumentParser) -> None:
        _add_options(parser, fields)

    def run(arguments: argparse.Namespace) -> int:
        return _run(arguments, fields, order)

    return Command(add_options, run)


def _add_options(parser: argparse.ArgumentParser, fields: Sequence[OrderField]) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="the image")
    add_order_options(parser, fields)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(),
        metavar="FOLDER",
        help="where to put the results (default: the current folder)",
    )


def add_order_options(parser: argparse.ArgumentParser, fields: Sequence[OrderField]) -> None:
    """Add `-p`, an option for each field of an order, and a list of all parameters below the options."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _parameters_told()
    parser.add_argument(
        "-p",
        dest="parameters",
        type=_pair,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a parameter of the result, from the list below; may be repeated",
    )
    for field in fields:
        parser.add_argument(
            _option(field),
            dest=field.name,
            action="append",
            default=[],
            metavar="JSON" if field.json_text else "VALUE",
            help=field.meaning.replace("%", "%%"),
        )


def ordered(arguments: argparse.Namespace, fields: Sequence[OrderField]) -> list[tuple[str, str]]:
    """The order that the options of `add_order_options` gave, as the fields of a request."""
    return [
        *arguments.parameters,
        *((field.name, value) for field in fields for value in getattr(arguments, field.name)),
    ]


def _run(arguments: argparse.Namespace, fields: Sequence[OrderField], kind: type[Order]) -> int:
    """Renders every result and prints a line for each. Replaces existing files of the same name."""
    config = load()
    try:
        most = config.imaging.max_outputs
        order = kind.parse(ordered(arguments, fields), read_presets(config.presets, most), most)
        for made in _render(arguments.file, order, arguments.out, config):
            print(_line(made, arguments.out))
    except QuickThumbError as error:
        raise UserMistake(sentence(error)) from error
    return 0


def _render(source: Path, order: Order, out: Path, config: Config) -> Sequence["Made"]:
    """Renders the results into a temporary folder inside `out`, and moves them to `out` once all are complete."""
    from quickthumb.imaging import cost, engine, memory  # these load Pillow, which most commands do not need

    _check_source(source)
    limits, keeps_label = config.imaging, config.worker.keep_ai_label
    try:
        needed_bytes = memory.estimate_file_bytes(source, order.outputs, limits)
        cost.check_memory(needed_bytes, config.sandbox.decode_budget_bytes)
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".quickthumb-", dir=out) as folder:
            made = engine.render(source, order.outputs, Path(folder), limits, keeps_label=keeps_label).made
            _check_places(source, out, made)
            for one in made:
                (Path(folder) / one.filename).replace(out / one.filename)
    except OSError as error:
        raise UserMistake(f"Cannot write the results to {out}: {error.strerror or error}.") from error
    except MemoryError as error:
        raise UserMistake("There is not enough memory for this image.") from error
    return made


def _check_source(source: Path) -> None:
    try:
        with source.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise UserMistake(f"Cannot read {source}: {error.strerror or error}.") from error


def _check_places(source: Path, out: Path, made: Sequence["Made"]) -> None:
    for one in made:
        place = out / one.filename
        if place.exists() and place.samefile(source):
            raise UserMistake(
                f"The result {place} would replace the image itself; choose another folder with --out, or another name."
            )


def _line(made: "Made", out: Path) -> str:
    said = f"{out / made.filename}  {made.format}  {made.width}x{made.height}  {made.bytes} bytes"
    return "  ".join([said, *made.warnings])


def sentence(error: QuickThumbError) -> str:
    """The error for the user, with the field that is at fault."""
    if error.field is None or error.detail.startswith(error.field):
        return error.detail
    return f"{error.field}: {error.detail}"


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} must look like name=value, such as size=300x300")
    return name, value


def _option(field: OrderField) -> str:
    return f"--{field.name.replace('_', '-')}"


def _parameters_told() -> str:
    """Every parameter of an output, with its meaning, choices and default."""
    parameters = Output.model_json_schema()["properties"]
    return "\n".join(["parameters of a result:", *(_told(name, schema) for name, schema in parameters.items())])


def _told(name: str, schema: dict[str, Any]) -> str:
    default = schema.get("default")
    values = [f"one of {', '.join(schema['enum'])}"] if "enum" in schema else []
    values += [] if default is None or default is False else [f"default {default}"]
    shown = f" ({'; '.join(values)})" if values else ""
    text = f"  {name:<{NAME_COLUMNS - 1}} {schema['description']}{shown}"
    return textwrap.fill(text, HELP_COLUMNS, subsequent_indent=" " * (NAME_COLUMNS + 2))


COMMAND = command()

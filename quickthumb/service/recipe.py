"""From the fields of a request to the outputs that a job is to make."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from quickthumb.errors import InvalidParameter
from quickthumb.imaging.parameters import Output, parse_output

MAX_OUTPUTS = 32

# What a job makes when nothing is asked for.
DEFAULT_RECIPE = (Output(name="thumbnail", width=128, height=128),)

Fields = Iterable[tuple[str, Any]]


def recipe_from(fields: Fields) -> tuple[Output, ...]:
    """The outputs that the fields ask for: flat parameters for one, `outputs` (a JSON list) for several.

    A field that is empty counts as not given, since forms send the fields that were left blank.
    Raises InvalidParameter, naming the field, for what is unknown, given twice or not valid.
    """
    given = _once_each(fields)
    listed = given.pop("outputs", None)
    if listed is None:
        return (parse_output(given),) if given else DEFAULT_RECIPE
    if given:
        name = next(iter(given))
        raise InvalidParameter(
            "Parameters of an output belong inside the list `outputs` when that is given.", field=name
        )
    return _several(_decoded(listed))


def written(output: Output) -> dict[str, Any]:
    """The output as a job keeps it: its name, and what differs from the defaults."""
    return {"name": output.name, **output.model_dump(mode="json", exclude_defaults=True)}


def output_from(parameters: Mapping[str, Any], prefix: str) -> Output:
    """One output of several. Raises InvalidParameter that names the parameter, behind `prefix`."""
    try:
        return parse_output(parameters)
    except InvalidParameter as error:
        raise InvalidParameter(error.detail, field=f"{prefix}.{error.field}" if error.field else prefix) from None


def _once_each(fields: Fields) -> dict[str, Any]:
    pairs = [(name, value) for name, value in fields if value != ""]
    for name, count in Counter(name for name, _ in pairs).items():
        if count > 1:
            raise InvalidParameter(f"The parameter {name!r} is given {count} times.", field=name)
    return dict(pairs)


def _decoded(listed: Any) -> Any:
    if not isinstance(listed, str):
        return listed
    try:
        return json.loads(listed)
    except (ValueError, RecursionError):
        raise InvalidParameter("It must be a JSON list of outputs.", field="outputs") from None


def _several(listed: Any) -> tuple[Output, ...]:
    if not isinstance(listed, list) or not listed or not all(isinstance(item, dict) for item in listed):
        raise InvalidParameter("It must be a JSON list of at least one output, each an object.", field="outputs")
    if len(listed) > MAX_OUTPUTS:
        raise InvalidParameter(f"At most {MAX_OUTPUTS} outputs can be made at once.", field="outputs")
    outputs = tuple(
        output_from({"name": f"output-{number}", **item}, prefix=f"outputs.{number - 1}")
        for number, item in enumerate(listed, start=1)
    )
    for name, count in Counter(output.name for output in outputs).items():
        if count > 1:
            raise InvalidParameter(f"The name {name!r} is given to {count} outputs.", field="outputs")
    return outputs

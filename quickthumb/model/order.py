"""From the fields of a request to the outputs that a job is to make."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from quickthumb.model.errors import InvalidParameter
from quickthumb.model.output import Output, parse_output

MAX_OUTPUTS = 32
# What a job makes when nothing is asked for.
DEFAULT_PRESET = "thumbnail"

Presets = Mapping[str, tuple[Output, ...]]
Fields = Iterable[tuple[str, Any]]


def recipe_from(fields: Fields, presets: Presets) -> tuple[Output, ...]:
    """The outputs that the fields ask for: flat parameters for one, `preset` (repeatable) and `outputs` (a JSON list)
    for several, which may stand together.

    A field that is empty counts as not given, since forms send the fields that were left blank.
    Raises InvalidParameter, naming the field, for what is unknown, given twice or not valid, and for flat parameters
    beside the others: nobody could say to which output they belong.
    """
    pairs = [(name, value) for name, value in fields if value != ""]
    named = _named([value for name, value in pairs if name == "preset"], presets)
    given = _once_each((name, value) for name, value in pairs if name != "preset")
    listed = given.pop("outputs", None)
    if listed is None and not named:
        return (parse_output(given),) if given else presets[DEFAULT_PRESET]
    if given:
        name, beside = next(iter(given)), "preset" if listed is None else "outputs"
        raise InvalidParameter(f"Parameters of an output cannot be given beside `{beside}`.", field=name)
    outputs = (*named, *(_several(_decoded(listed)) if listed is not None else ()))
    _check_together(outputs, "outputs" if listed is not None else "preset")
    return outputs


def written(output: Output) -> dict[str, Any]:
    """The output as a job keeps it: its name, and what differs from the defaults."""
    return {"name": output.name, **output.model_dump(mode="json", exclude_defaults=True)}


def output_from(parameters: Mapping[str, Any], prefix: str) -> Output:
    """One output of several. Raises InvalidParameter that names the parameter, behind `prefix`."""
    try:
        return parse_output(parameters)
    except InvalidParameter as error:
        raise InvalidParameter(error.detail, field=f"{prefix}.{error.field}" if error.field else prefix) from None


def _named(given: Iterable[Any], presets: Presets) -> tuple[Output, ...]:
    """The outputs of presets; each value is a name or, in JSON, a list of names."""
    names = [name for value in given if value is not None for name in (value if isinstance(value, list) else [value])]
    for name in names:
        if not isinstance(name, str) or name not in presets:
            raise InvalidParameter(f"There is no such preset; there are {', '.join(presets)}.", field="preset")
    return tuple(output for name in names for output in presets[name])


def _check_together(outputs: tuple[Output, ...], field: str) -> None:
    if len(outputs) > MAX_OUTPUTS:
        raise InvalidParameter(f"At most {MAX_OUTPUTS} outputs can be made at once.", field=field)
    for name, count in Counter(output.name for output in outputs).items():
        if count > 1:
            raise InvalidParameter(f"The name {name!r} is given to {count} outputs.", field=field)


def _once_each(pairs: Fields) -> dict[str, Any]:
    pairs = list(pairs)
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
    return tuple(
        output_from({"name": f"output-{number}", **item}, prefix=f"outputs.{number - 1}")
        for number, item in enumerate(listed, start=1)
    )

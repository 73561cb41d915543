"""`GET /parameters`: everything that an order can have, for programs that build a form from it, as the page `/` does.

The parameters come from `Output` and `Order`. Only their grouping for people is written down here; a parameter that no
group names is in the last one, so a new parameter is shown without a change to this file.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from quickthumb.http.endpoints import json_answer
from quickthumb.model.order import order_fields
from quickthumb.model.output import Output
from quickthumb.web.schemas import sent_as_text

GROUPS: Mapping[str, tuple[str, ...]] = {
    "size": ("width", "height", "size", "fit", "enlarge", "position", "crop", "background"),
    "format": ("format", "quality", "lossless", "max_bytes", "dither", "frames"),
    "look": ("rotate", "flip", "flop", "grayscale", "brightness", "contrast", "saturation", "blur", "sharpen"),
}
OTHERS = "more"
# These two say which outputs to make; all other fields of an order are about the job.
_OUTPUTS = frozenset({"preset", "outputs"})
# Values that say only that a parameter is not given.
_NOTHING: tuple[Any, ...] = (None, [])

Described = dict[str, dict[str, Any]]


class ParameterGroupView(BaseModel):
    """Parameters that belong together: each name with its JSON Schema."""

    name: str = Field(examples=["size"])
    parameters: Described = Field(examples=[{"width": {"type": "integer", "minimum": 1, "maximum": 16383}}])


class ParametersView(BaseModel):
    """The parameters of requests. In a form, an array is sent as one field for each item, an object as JSON text."""

    output: list[ParameterGroupView] = Field(description="The parameters of one output, in groups.")
    job: Described = Field(
        description="The other fields of a request, by name.",
        examples=[{"priority": {"type": "string", "enum": ["high", "normal", "low"]}}],
    )


async def list_all(_request: Request) -> Response:
    """Lists the parameters of an output, and the other fields of a request, each with its JSON Schema: type, bounds,
    default and description. Build forms from it."""
    return json_answer(_view(), headers={"Cache-Control": "no-cache"})


@cache
def _view() -> ParametersView:
    return ParametersView(
        output=_grouped({name: _described(schema) for name, schema in _output_schemas().items()}),
        job={
            field.name: _described({**field.schema, "description": field.meaning})
            for field in order_fields()
            if field.name not in _OUTPUTS
        },
    )


def _output_schemas() -> Mapping[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = Output.model_json_schema()["properties"]
    return found


def _grouped(parameters: Described) -> list[ParameterGroupView]:
    named = {name for names in GROUPS.values() for name in names}
    groups = {**GROUPS, OTHERS: tuple(name for name in parameters if name not in named)}
    return [
        ParameterGroupView(name=group, parameters={name: parameters[name] for name in names if name in parameters})
        for group, names in groups.items()
    ]


def _described(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a value as text; its default, if it has one, as JSON Schema says it."""
    default = schema.get("default")
    told = sent_as_text({key: said for key, said in schema.items() if key != "default"})
    return told if default in _NOTHING else {**told, "default": default}

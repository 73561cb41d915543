"""`POST /images/` and `GET /presets`: taking an image in, and describing everything that may be sent along with it."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import BaseModel, Field, WithJsonSchema
from starlette.requests import Request
from starlette.responses import Response

from quickthumb.http.endpoints import Parameter, json_answer
from quickthumb.http.requests import caller_of, metrics_of, service_of, upload_from
from quickthumb.http.urls import urls_of
from quickthumb.model.errors import MalformedRequest
from quickthumb.model.order import Order, OrderField, order_fields, written_output
from quickthumb.model.output import Output
from quickthumb.web.openapi import REFERENCE
from quickthumb.web.presentation import present_accepted

LONGEST_KEY = 255
# What a default of no value looks like in a schema.
NOTHING: tuple[tuple[str, Any], ...] = (("default", None), ("default", []))

# What differs from a parameter's default; the schema of outputs says what that is.
OutputView = Annotated[dict[str, Any], WithJsonSchema({"$ref": REFERENCE.format(model="Output")})]


class PresetsView(BaseModel):
    """The presets by name, each as the outputs that it makes."""

    presets: dict[str, list[OutputView]] = Field(
        examples=[{"thumbnail": [{"name": "thumbnail", "width": 128, "height": 128}]}]
    )


async def submit(request: Request) -> Response:
    """Answers 202 with the job, once it is kept."""
    upload = upload_from(request, request.query_params.multi_items(), idempotency_key=_idempotency_key(request))
    job = await service_of(request).submit(caller_of(request), upload)
    metrics_of(request).accepted(job.source.bytes or 0)
    view = present_accepted(job, urls_of(request))
    return json_answer(view, HTTPStatus.ACCEPTED, {"Location": view.links.self, "Cache-Control": "no-store"})


async def presets(request: Request) -> Response:
    """The presets that `preset=` takes, those of the deployment's settings included."""
    known = service_of(request).presets
    view = PresetsView(presets={name: [written_output(output) for output in known[name]] for name in known})
    return json_answer(view, headers={"Cache-Control": "no-cache"})


def _idempotency_key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not 0 < len(key) <= LONGEST_KEY:
        raise MalformedRequest(f"An Idempotency-Key has 1 to {LONGEST_KEY} characters.", field="Idempotency-Key")
    return key


_PICTURE = {"type": "string", "format": "binary", "description": "The image."}
_DATA = {
    "type": "string",
    "contentEncoding": "base64",
    "description": "The image, in base64; a data: URL is taken, too.",
}
_FILENAME = {"type": "string", "description": "The image's name, to be shown."}
# One grey pixel, so that the example can be sent as it stands.
_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
_OUTPUT: dict[str, Any] = Output.model_json_schema()["properties"]


def upload_body(order: type[Order] = Order) -> dict[str, Any]:
    """The request body that takes an image together with an order, for OpenAPI."""
    fields = order_fields(order, REFERENCE)
    form = {"image": _PICTURE, **_flat(_OUTPUT), **{field.name: _in_form(field) for field in fields}}
    body = {"data": _DATA, "filename": _FILENAME, **_OUTPUT, **{field.name: _in_json(field) for field in fields}}
    # Each value of a repeatable field is a part of its own; Swagger UI would put commas between them.
    encoding = {field.name: {"style": "form", "explode": True} for field in fields if field.repeatable}
    return {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": _object(form, ["image"]), "encoding": encoding},
            "application/json": {
                "schema": _object(body, ["data"]),
                "example": {"data": _PIXEL, "filename": "pixel.png", "width": 64},
            },
            "image/*": {"schema": _PICTURE},
            "application/octet-stream": {"schema": _PICTURE},
        },
    }


def upload_parameters(order: type[Order] = Order) -> tuple[Parameter, ...]:
    """The query parameters of an upload, for when the body is the bare image.

    The parameters of an output are described as one object whose keys stand in the query by themselves, so that they
    are not all listed once more above the form. Fields that are JSON text are left to the body.
    """
    flat = Parameter(
        "parameters",
        "query",
        "The same parameters, for when the body is the bare image. Each is a query parameter by itself: "
        "`?width=300&height=300`.",
        {"type": "object", "properties": _flat(_OUTPUT)},
        example={},
    )
    return (flat, *_in_query(order_fields(order, REFERENCE)))


def _in_query(fields: Iterable[OrderField]) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(field.name, "query", field.meaning, _without_null(field.schema))
        for field in fields
        if not field.json_text
    )


def _in_form(field: OrderField) -> dict[str, Any]:
    schema = _without_null(field.schema)
    if field.json_text:
        schema = {"type": "string", "contentMediaType": "application/json", "contentSchema": schema}
    return {**schema, "description": field.meaning}


def _in_json(field: OrderField) -> dict[str, Any]:
    schema = field.schema
    if field.repeatable:
        several = _without_null(schema)
        schema = {"anyOf": [several["items"], several]}
    return {**schema, "description": field.meaning}


def _flat(parameters: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {name: _without_null(schema) for name, schema in parameters.items()}


def _without_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A field as a form or a query sends it: left out instead of null, or instead of an empty list."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    choice = kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {}
    given = {key: said for key, said in schema.items() if key != "anyOf" and (key, said) not in NOTHING}
    return {**given, **choice}


def _object(properties: Mapping[str, Any], required: list[str]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), "required": required}

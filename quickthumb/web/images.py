"""`POST /images/` and `GET /presets`: accepts images, and describes everything that may be sent along with one."""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Annotated, Any

from pydantic import BaseModel, Field, WithJsonSchema
from starlette.requests import Request
from starlette.responses import Response

from quickthumb.http.endpoints import Parameter, json_answer
from quickthumb.http.requests import caller_of, filename_in, metrics_of, policy_of, service_of, upload_from
from quickthumb.intake.headers import clean_filename
from quickthumb.model.errors import InvalidParameter, MalformedRequest, QuickThumbError
from quickthumb.model.job import Job
from quickthumb.model.order import Order, OrderField, order_fields, written_output
from quickthumb.model.output import Output
from quickthumb.model.policy import FIELD
from quickthumb.web.jobs import urls_asked, wait_asked
from quickthumb.web.presentation import present_accepted, present_one
from quickthumb.web.schemas import BINARY, PRESET_OUTPUT, REFERENCE, reference, sent, sent_as_text
from quickthumb.web.waiting import waited

LONGEST_KEY = 255
FILENAME = "filename"
# A string among structured field values (RFC 9651, section 3.3.3).
_STRUCTURED_STRING = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')

OutputView = Annotated[dict[str, Any], WithJsonSchema(reference(PRESET_OUTPUT))]


class PresetsView(BaseModel):
    """The presets by name, each with the outputs that it makes."""

    presets: dict[str, list[OutputView]] = Field(
        examples=[{"thumbnail": [{"name": "thumbnail", "width": 128, "height": 128}]}]
    )


async def submit(request: Request) -> Response:
    """Accepts an image. Answers 202 with the job once the image is stored and the job is queued.

    With `?wait=` or `Prefer: wait=`, answers 200 if the job ends in that time. If too many requests wait already,
    answers 202 at once.

    In place of a key, a policy that your backend has signed lets a browser upload: in the header `Upload-Policy`, or in
    the field `policy`, before the image. The response then has signed URLs.
    """
    wait_seconds, preferred = wait_asked(request)
    urls = urls_asked(request)
    given = request.query_params.multi_items()
    policy = policy_of(request)
    upload = upload_from(
        request,
        [(name, value) for name, value in given if name not in (FILENAME, "wait", "sign")],
        idempotency_key=idempotency_key_of(request)
        if policy is None
        else policy.idempotency_key(idempotency_key_of(request)),
        filename=_filename(request.query_params.getlist(FILENAME)) or filename_in(request),
    )
    job = await service_of(request).submit(caller_of(request), upload)
    metrics_of(request).accepted(job.source.bytes or 0)
    held = True
    if wait_seconds:
        job, held = await _waited(request, job, wait_seconds)
    headers = {"Location": urls.job(job.id), "Cache-Control": "no-store"}
    if preferred and held:
        headers["Preference-Applied"] = f"wait={wait_seconds:g}"
    if not held:
        headers["Retry-After"] = "1"
    if wait_seconds and job.status.ended:
        return json_answer(present_one(job, urls, caller_of(request)), HTTPStatus.OK, headers)
    return json_answer(present_accepted(job, urls, caller_of(request)), HTTPStatus.ACCEPTED, headers)


async def _waited(request: Request, job: Job, seconds: float) -> tuple[Job, bool]:
    """The job once it has ended, or in its current state after `seconds`, and whether there was room to wait."""
    try:
        return await waited(request, job.id, seconds)
    except QuickThumbError:
        return job, True  # whatever has happened since, the image was accepted, and the client must hear so


async def presets(request: Request) -> Response:
    """Lists every preset that `preset=` accepts: the built-in ones, those of the deployment's settings and those of the
    caller's tenant, or only those that the API key allows."""
    known = service_of(request).presets(caller_of(request))
    view = PresetsView(presets={name: [written_output(output) for output in known[name]] for name in known})
    return json_answer(view, headers={"Cache-Control": "private, no-cache"})


def idempotency_key_of(request: Request) -> str | None:
    """The Idempotency-Key of a request. In quotation marks, as in the IETF draft, it is the same key as without."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    quoted = _STRUCTURED_STRING.fullmatch(key)
    if quoted:
        key = re.sub(r"\\(.)", r"\1", quoted[1])
    if not 0 < len(key) <= LONGEST_KEY:
        raise MalformedRequest(f"The Idempotency-Key must have 1 to {LONGEST_KEY} characters.", field="Idempotency-Key")
    return key


def _filename(given: list[str]) -> str | None:
    if len(given) > 1:
        raise InvalidParameter("filename may be given only once.", field=FILENAME)
    return clean_filename(given[0]) if given else None


_PICTURE = {**BINARY, "description": "The image."}
_DATA = {
    "type": "string",
    "contentEncoding": "base64",
    "description": "The image in base64; a data: URL is accepted, too.",
}
_POLICY = {
    "type": "string",
    "description": "A signed upload policy, in place of an API key. It must come before the image.",
}
_URL = {
    "type": "string",
    "format": "uri",
    "description": "Where a worker is to fetch the image from, in place of the image. The setting `URL_ALLOWED` says "
    "which URLs may be given; by default, none.",
}
_FILENAME = {"type": "string", "description": "The image's file name, for display and downloads."}
# A whole image of one gray pixel, so the example works without changes.
_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
_OUTPUT: dict[str, Any] = Output.model_json_schema()["properties"]
_PARAMETERS = {name: sent(schema) for name, schema in _OUTPUT.items()}
_FLAT = {name: sent_as_text(schema) for name, schema in _OUTPUT.items()}


def upload_body(order: type[Order] = Order) -> dict[str, Any]:
    """The request body of an upload, for OpenAPI: an image, or its URL, together with an order."""
    fields = order_fields(order, REFERENCE)
    form = {
        FIELD: _POLICY,
        "image": _PICTURE,
        "url": _URL,
        **_FLAT,
        **{field.name: _in_form(field) for field in fields},
    }
    body = {"data": _DATA, "url": _URL, "filename": _FILENAME, **order_body(order)["properties"]}
    # Each value of a repeatable field is sent as a part of its own; by default, Swagger UI would join them with commas.
    encoding = {field.name: {"style": "form", "explode": True} for field in fields if field.repeatable}
    return {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": _object(form, "`image` or `url`."), "encoding": encoding},
            "application/json": {
                "schema": _object(body, "`data` or `url`."),
                "example": {"data": _PIXEL, "filename": "pixel.png", "width": 64},
            },
            "application/octet-stream": {"schema": _PICTURE},
        },
    }


def order_body(order: type[Order] = Order) -> dict[str, Any]:
    """The schema of an order in JSON, without an image."""
    json_fields = {field.name: _in_json(field) for field in order_fields(order, REFERENCE)}
    return {"type": "object", "properties": {**_PARAMETERS, **json_fields}}


def upload_parameters(order: type[Order] = Order) -> tuple[Parameter, ...]:
    """The query parameters of an upload whose body is the bare image, for OpenAPI.

    The parameters of an output are described as one object, whose keys are separate query parameters; otherwise the
    page would list them all a second time, above the form. Fields that are JSON text are described for the body only.
    """
    flat = Parameter(
        "parameters",
        "query",
        "The same parameters as in the form, for when the body is the bare image. Each key is a query parameter of its "
        "own: `?width=300&height=300`.",
        {"type": "object", "properties": _FLAT},
        example={},
    )
    return (flat, *_in_query(order_fields(order, REFERENCE)))


def _in_query(fields: Iterable[OrderField]) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(field.name, "query", field.meaning, sent_as_text(field.schema))
        for field in fields
        if not field.json_text
    )


def _in_form(field: OrderField) -> dict[str, Any]:
    schema = sent_as_text({**field.schema, "description": field.meaning})
    if field.json_text:
        description = schema.pop("description")
        schema = {"type": "string", "contentMediaType": "application/json", "contentSchema": schema}
        schema["description"] = f"{description} As JSON text."
    return schema


def _in_json(field: OrderField) -> dict[str, Any]:
    schema = sent({**field.schema, "description": field.meaning})
    if field.repeatable:
        description = schema.pop("description")
        schema = {"anyOf": [schema["items"], schema], "description": description}
    return schema


def _object(properties: Mapping[str, Any], needed: str) -> dict[str, Any]:
    # Which one of two is needed could be said by `oneOf`; the generators of clients would make two bodies of that.
    return {"type": "object", "description": f"It must have {needed}", "properties": dict(properties)}

"""Builds the OpenAPI 3.1 document from the endpoints, and from the models that validate requests and present jobs."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from quickthumb import __version__
from quickthumb.http import problems
from quickthumb.http.endpoints import Answer, Endpoint, Parameter
from quickthumb.http.errors import CrossOrigin
from quickthumb.http.quotas import MEANINGS
from quickthumb.model.api_key import TENANT as NAME
from quickthumb.model.caller import EVERY_TENANT
from quickthumb.model.errors import InvalidParameter, QuickThumbError
from quickthumb.queue.errors import QuotaExceeded
from quickthumb.service.errors import KEY, NotForTenants
from quickthumb.web import schemas
from quickthumb.web.middleware.tenants import TENANT

Headers = Sequence[tuple[str, str]]
REFUSAL: Headers = (("Retry-After", "The seconds until it is worth while to try again."), *MEANINGS)
KEY_SCHEME = "apiKey"
_KEY = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "qt_…",
    "description": "An API key, which `quickthumb keys create` makes. A service without keys needs none.",
}

# How a body of a media type that is no picture is described.
_PLAIN: dict[str, schemas.Schema] = {
    "text/plain": {"type": "string"},
    # A stream has no end, so there is no schema for all of it.
    "text/event-stream": {},
    "application/json": {"type": "object"},
}


def describe(endpoints: Sequence[Endpoint]) -> bytes:
    """The OpenAPI document of the endpoints, as JSON."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "QuickThumb",
            "version": __version__,
            "description": "Upload an image and get a job at once. Download its results when the job is DONE.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "tags": [{"name": tag} for tag in dict.fromkeys(endpoint.tag for endpoint in endpoints)],
        "paths": paths,
        "components": {"schemas": _schemas(endpoints), "securitySchemes": {KEY_SCHEME: _KEY}},
    }
    return json.dumps(document, ensure_ascii=False).encode()


def _schemas(endpoints: Iterable[Endpoint]) -> dict[str, schemas.Schema]:
    answered = {answer.model for endpoint in endpoints for answer in endpoint.answers if answer.model}
    return schemas.schemas(answered | {problems.Problem})


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    limited = MEANINGS if endpoint.scope is not None else ()
    operation: dict[str, Any] = {
        "tags": [endpoint.tag],
        "summary": endpoint.summary,
        "operationId": endpoint.operation_id,
        "description": (endpoint.handler.__doc__ or "").strip(),
        "responses": {
            **{str(answer.status): _answer(answer, limited) for answer in endpoint.answers},
            **_problems(_errors(endpoint)),
        },
    }
    if endpoint.scope is not None:
        operation["security"] = [{KEY_SCHEME: [endpoint.scope]}]
    parameters = (*endpoint.parameters, *(_tenant(endpoint) if endpoint.of_tenant else ()))
    if parameters:
        operation["parameters"] = [_parameter(parameter) for parameter in parameters]
    if endpoint.body:
        operation["requestBody"] = endpoint.body
    return operation


def _errors(endpoint: Endpoint) -> set[type[QuickThumbError]]:
    """All that it may answer: its own errors, and those of the middleware before it."""
    choosing = (InvalidParameter, NotForTenants) if endpoint.of_tenant else ()
    return {
        *endpoint.errors,
        *((CrossOrigin,) if endpoint.changes else ()),
        *(KEY if endpoint.scope else ()),
        *choosing,
    }


def _tenant(endpoint: Endpoint) -> Iterator[Parameter]:
    """The parameter of `TenantChoice`."""
    all_too = f"; `{EVERY_TENANT}` stands for all" if endpoint.for_all_tenants else ""
    meaning = f"For the operator: the tenant for which to act{all_too}. Others may name their own only."
    pattern = f"^({NAME.pattern}{'|[*]' if endpoint.for_all_tenants else ''})$"
    yield Parameter(TENANT, "query", meaning, {"type": "string", "pattern": pattern, "examples": ["shop"]})


def _parameter(parameter: Parameter) -> dict[str, Any]:
    described = {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.required or parameter.place == "path",
        "description": parameter.meaning,
        "schema": parameter.schema,
    }
    if parameter.schema.get("type") == "object":
        described |= {"style": "form", "explode": True}
    return described if parameter.example is None else {**described, "example": parameter.example}


def _answer(answer: Answer, further: Headers = ()) -> dict[str, Any]:
    described: dict[str, Any] = {"description": answer.meaning}
    content: dict[str, Any] = {
        media_type: {"schema": _PLAIN.get(media_type, schemas.BINARY)} for media_type in answer.media_types
    }
    if answer.model:
        content = {"application/json": {"schema": schemas.reference(answer.model.__name__)}, **content}
    if content:
        described["content"] = content
    if answer.headers or further:
        described["headers"] = _headers((*answer.headers, *further))
    return described


def _headers(headers: Headers) -> dict[str, Any]:
    return {name: {"description": meaning, "schema": {"type": "string"}} for name, meaning in headers}


def _problems(errors: Iterable[type[QuickThumbError]]) -> dict[str, Any]:
    by_status: dict[str, list[type[QuickThumbError]]] = {}
    for error in sorted(errors, key=lambda error: (error.status, error.code)):
        by_status.setdefault(str(error.status), []).append(error)
    return {
        status: {
            "description": "; ".join(f"`{error.code}`: {error.title}" for error in kinds) + ".",
            "content": {
                problems.MEDIA_TYPE: {
                    "schema": schemas.reference("Problem"),
                    "examples": {error.code: {"value": problems.example(error)} for error in kinds},
                }
            },
            **({"headers": _headers(REFUSAL)} if QuotaExceeded in kinds else {}),
        }
        for status, kinds in by_status.items()
    }

"""Endpoints: each is a route together with its OpenAPI description. And JSON responses, written from models."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, TypeAdapter
from starlette.requests import Request
from starlette.responses import Response

from quickthumb.model.caller import Scope
from quickthumb.model.errors import QuickThumbError

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# The first part of the paths of what each tenant has of its own: there, the operator may act for any tenant.
OF_TENANTS = frozenset({"jobs", "batches", "webhooks", "deliveries", "events"})
Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Answer:
    """One successful response: its status, its meaning, and its headers with their meanings.

    The body is JSON if there is a `model`, and may also, or instead, have any of the `media_types`.
    """

    status: int
    meaning: str
    model: type[BaseModel] | None = None
    media_types: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter, with its JSON Schema. `place` is OpenAPI's `in`: path, query or header."""

    name: str
    place: str
    meaning: str
    schema: dict[str, Any]
    example: Any = None
    required: bool = False


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A route, its handler, and its OpenAPI description. The handler's docstring is the description's text.

    Client generators name their methods after `operation_id`: a verb and its object, such as `getJob`.
    """

    method: str
    path: str
    handler: Handler
    tag: str
    summary: str
    operation_id: str
    answers: tuple[Answer, ...]
    errors: tuple[type[QuickThumbError], ...] = ()
    parameters: tuple[Parameter, ...] = ()
    body: dict[str, Any] | None = None
    # False for a GET that changes something, against the rule for GET; then HEAD is not answered.
    safe: bool = True
    # What a caller must be allowed to do; None if anybody may send the request.
    scope: Scope | None = None
    # Whether a signed URL may stand in for a key.
    signable: bool = False
    # Whether a signed upload policy may.
    takes_policy: bool = False
    # Whether the operator may ask for what all tenants have.
    for_all_tenants: bool = False

    @property
    def of_tenant(self) -> bool:
        """Whether it is about what each tenant has of its own, so that the operator may name one."""
        return self.scope is not None and self.path.split("/")[1] in OF_TENANTS

    @property
    def changes(self) -> bool:
        """Whether a request may change something, so that pages of other origins must not send it."""
        return not self.safe or self.method not in SAFE_METHODS


_OBJECT = TypeAdapter(dict[str, Any])


def json_answer(
    view: BaseModel | dict[str, Any],
    status: HTTPStatus = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
    *,
    omit_none: bool = False,
) -> Response:
    """A response with the model, or the object, as JSON. `omit_none` leaves out the fields that are None."""
    if isinstance(view, BaseModel):
        return Response(view.model_dump_json(exclude_none=omit_none), status, headers, "application/json")
    return Response(_OBJECT.dump_json(view, exclude_none=omit_none), status, headers, "application/json")

"""What an endpoint is: a route together with what OpenAPI says of it, and answers written by the models it names."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from quickthumb.model.errors import QuickThumbError

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Answer:
    """One good answer: its status, what it means, and its body, as a model, as media types, or as either."""

    status: int
    meaning: str
    model: type[BaseModel] | None = None
    media_types: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter in the path, the query or the headers, with its JSON Schema."""

    name: str
    place: str
    meaning: str
    schema: dict[str, Any]
    example: Any = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A route, its handler, and its description.

    `operation_id` is the name under which clients are generated from OpenAPI; by default, that of the handler.
    """

    method: str
    path: str
    handler: Handler
    tag: str
    summary: str
    answers: tuple[Answer, ...]
    errors: tuple[type[QuickThumbError], ...] = ()
    parameters: tuple[Parameter, ...] = ()
    body: dict[str, Any] | None = None
    # Whether a request changes nothing, as is the rule for GET; only then is HEAD answered, too.
    safe: bool = True
    operation_id: str | None = None


def json_answer(
    view: BaseModel,
    status: HTTPStatus = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
    *,
    omit_none: bool = False,
) -> Response:
    """The model as JSON; with `omit_none`, without the fields that are None."""
    return Response(view.model_dump_json(exclude_none=omit_none), status, headers, "application/json")

"""What an endpoint is: a route together with what OpenAPI says of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
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
    """A route, its handler, and its description."""

    method: str
    path: str
    handler: Handler
    tag: str
    summary: str
    answers: tuple[Answer, ...]
    errors: tuple[type[QuickThumbError], ...] = ()
    parameters: tuple[Parameter, ...] = ()
    body: dict[str, Any] | None = None
    # Whether asking changes nothing, as it should not with GET; only then may HEAD ask the same.
    safe: bool = True

"""Answers in JSON, written by the models that describe them in OpenAPI."""

from collections.abc import Mapping
from http import HTTPStatus

from pydantic import BaseModel
from starlette.responses import Response


def json_answer(
    view: BaseModel,
    status: HTTPStatus = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
    *,
    omit_none: bool = False,
) -> Response:
    """The model as JSON; with `omit_none`, without what is None."""
    return Response(view.model_dump_json(exclude_none=omit_none), status, headers, "application/json")

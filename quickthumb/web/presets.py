"""`GET /presets`: the named recipes."""

from typing import Annotated, Any

from pydantic import BaseModel, Field, WithJsonSchema
from starlette.requests import Request
from starlette.responses import Response

from quickthumb.http.answers import json_answer
from quickthumb.http.state import service_of
from quickthumb.model.order import written

# What differs from a parameter's default; the schema of outputs says what that is.
OutputView = Annotated[dict[str, Any], WithJsonSchema({"$ref": "#/components/schemas/Output"})]


class PresetsView(BaseModel):
    """The presets by name, each as the outputs that it makes."""

    presets: dict[str, list[OutputView]] = Field(
        examples=[{"thumbnail": [{"name": "thumbnail", "width": 128, "height": 128}]}]
    )


async def show(request: Request) -> Response:
    """The presets that `preset=` takes, those of the deployment's settings included."""
    presets = service_of(request).presets
    view = PresetsView(presets={name: [written(output) for output in outputs] for name, outputs in presets.items()})
    return json_answer(view, headers={"Cache-Control": "no-cache"})

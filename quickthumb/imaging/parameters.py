"""The one parameter list of an output: validation, OpenAPI, the command line's help and the docs derive from it."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

MAX_SIDE_PIXELS = 16_383

Side = Annotated[int, Field(ge=1, le=MAX_SIDE_PIXELS)]


class Output(BaseModel):
    """One wanted result, described by flat parameters. Sizes are in pixels of the upright image."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(
        "thumbnail",
        pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$",
        description="Name of the result, unique within the job: small letters, digits, - and _.",
    )
    width: Side | None = Field(None, description="Width of the box to fit into, in pixels.")
    height: Side | None = Field(None, description="Height of the box to fit into, in pixels.")

    @model_validator(mode="before")
    @classmethod
    def _split_size(cls, values: Any) -> Any:
        """Accepts `size=128x128` for `width=128&height=128`."""
        if not isinstance(values, dict) or "size" not in values:
            return values
        size = str(values["size"])
        width, times, height = size.partition("x")
        if not (times and width.isascii() and width.isdigit() and height.isascii() and height.isdigit()):
            raise ValueError("size must look like 128x128")
        if "width" in values or "height" in values:
            raise ValueError("size cannot be given together with width or height")
        rest = {name: value for name, value in values.items() if name != "size"}
        return {**rest, "width": int(width), "height": int(height)}

    @model_validator(mode="after")
    def _needs_a_side(self) -> Self:
        if self.width is None and self.height is None:
            raise ValueError("width, height or size is needed")
        return self

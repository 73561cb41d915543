"""The parameters of an output, each declared once: validation, OpenAPI, the command-line help and the docs derive from
this list.

The web process validates with it, so it imports neither Pillow nor anything that does.
"""

import difflib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, NoReturn, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from quickthumb.model import notation
from quickthumb.model.errors import InvalidParameter

MAX_SIDE_PIXELS = 16_383

Side = Annotated[int, Field(ge=1, le=MAX_SIDE_PIXELS)]
Factor = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]
Fit = Literal["inside", "cover", "contain", "fill"]
# Other names by which clients know a format.
FORMAT_ALIASES = {"jpg": "jpeg"}


def _format_name(value: object) -> object:
    return FORMAT_ALIASES.get(name := value.strip().lower(), name) if isinstance(value, str) else value


FormatName = Annotated[Literal["auto", "jpeg", "png", "webp", "avif", "gif"], BeforeValidator(_format_name)]


def _text_or_nothing(pattern: str) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"type": "string", "pattern": pattern}, {"type": "null"}]})


def _text_or_list(pattern: str, count: int) -> WithJsonSchema:
    numbers = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": count, "maxItems": count}
    return WithJsonSchema({"anyOf": [{"type": "string", "pattern": pattern}, numbers]})


Position = Annotated[
    str,
    BeforeValidator(notation.position),
    WithJsonSchema({"type": "string", "examples": ["top-left", "smart", "0.5,0.3"]}),
]
Crop = Annotated[tuple[int, int, int, int], BeforeValidator(notation.crop), _text_or_list(r"^\d+,\d+,\d+,\d+$", 4)]
Color = Annotated[
    str, BeforeValidator(notation.color), WithJsonSchema({"type": "string", "examples": ["#ffffff", "transparent"]})
]


class Output(BaseModel):
    """One requested result, described by flat parameters. All pixel values refer to the upright picture."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(
        "thumbnail",
        pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$",
        description="Name of the result, unique within the job: lowercase letters, digits, - and _.",
    )
    width: Side | None = Field(
        None, description="Width of the box, in pixels. Without width and height, the size is kept."
    )
    height: Side | None = Field(None, description="Height of the box, in pixels.")
    size: Annotated[str | None, _text_or_nothing(r"^\d+x\d+$")] = Field(
        None, exclude=True, description="Width and height in one, in pixels, such as 128x128."
    )
    fit: Fit = Field(
        "inside",
        description="How the picture fits the box: inside (scaled to fit, keeping its proportions), cover (scaled to "
        "fill the box, cropped at the edges), contain (scaled to fit, then padded to the box) or fill (stretched to "
        "the box). All except inside need both width and height.",
    )
    enlarge: bool = Field(
        False,
        description="Whether a small picture may be enlarged. If not, the result has no more pixels than the source; "
        "cover and fill then keep the box's proportions, and contain still pads to the box.",
    )
    position: Position = Field(
        "center",
        description="Which part cover keeps, and where contain puts the picture: center, an edge or a corner (such as "
        "top-left), x,y in 0…1 as in CSS object-position, or smart (the most interesting part; for cover).",
    )
    crop: Crop | None = Field(
        None, description="Part of the picture to cut out before resizing: x,y,width,height in pixels, after rotating."
    )
    rotate: float = Field(
        0,
        ge=-360,
        le=360,
        allow_inf_nan=False,
        description="Clockwise rotation in degrees, applied after the camera's orientation. Angles other than "
        "multiples of 90 leave corners, which show the background.",
    )
    flip: bool = Field(False, description="Mirror top to bottom, after rotating.")
    flop: bool = Field(False, description="Mirror left to right, after rotating.")
    background: Color | None = Field(
        None,
        description="Color of the padding, of the corners left by rotate and, in formats without transparency, behind "
        "the picture: #rgb, #rgba, #rrggbb, #rrggbbaa or a basic CSS color name. By default transparent if the format "
        "supports it, otherwise white.",
    )
    grayscale: bool = Field(False, description="Convert to grayscale, by the luma of ITU-R BT.601.")
    blur: float | None = Field(
        None, ge=0.3, le=250, allow_inf_nan=False, description="Gaussian blur: its sigma, in pixels of the result."
    )
    sharpen: float | None = Field(
        None,
        gt=0,
        le=500,
        allow_inf_nan=False,
        description="Unsharp mask with a radius of 1 pixel of the result: its strength, in percent.",
    )
    brightness: Factor = Field(
        1, description="Factor, as in CSS brightness(): 0 black, 1 unchanged, 2 twice as bright."
    )
    contrast: Factor = Field(1, description="Factor, as in CSS contrast(): 0 mid-gray, 1 unchanged.")
    saturation: Factor = Field(1, description="Factor, as in CSS saturate(): 0 grayscale, 1 unchanged.")
    format: FormatName = Field(
        "auto",
        description="Format of the result. auto keeps the source's format if it is a web format; otherwise it chooses "
        "webp for pictures with transparency or animation, and jpeg for all others. jpg means jpeg.",
    )
    quality: int | None = Field(
        None, ge=1, le=100, description="Quality 1…100, for jpeg, webp and avif; the defaults are 80, 80 and 60."
    )
    lossless: bool = Field(
        False,
        description="Keep every pixel exactly: for webp, and for png, which otherwise chooses 256 colors for a smaller "
        "picture of a source with a palette, if the loss cannot be seen.",
    )
    dither: bool = Field(
        True,
        description="For gif, where a picture has more colors than a GIF can hold: mix dots of two colors where smooth "
        "areas would show steps. Colors that fill areas stay exact. Animations are never dithered: the dots would seem "
        "to crawl.",
    )
    max_bytes: int | None = Field(
        None,
        ge=100,
        description="Maximum file size in bytes: uses the best quality that fits. For jpeg, webp and avif.",
    )
    metadata: Literal["strip", "copyright", "keep"] = Field(
        "strip",
        description="What to keep of EXIF, XMP, IPTC, texts and the color profile: strip (nothing but the label of "
        "generated pictures), copyright (who made and owns the picture) or keep (everything that is still true and "
        "that the format can hold, including the profile and the location).",
    )
    hdr: Literal["drop", "keep"] = Field(
        "drop",
        description="What becomes of the source's HDR gain map: drop, or keep (in a JPEG made from a JPEG, which then "
        "keeps the source's colors and profile too).",
    )
    frames: Literal["all", "first"] = Field(
        "all", description="Frames of an animation to keep; formats without animation keep the first."
    )
    truncated: Literal["refuse", "fill"] = Field(
        "refuse",
        description="What to do with a source that is cut off: refuse it, or make the picture of what is there, and "
        "fill the rest with gray, black or transparency. fill counts only if all outputs of the job say so.",
    )

    @model_validator(mode="before")
    @classmethod
    def _read_form(cls, given: Any) -> Any:
        """Treats empty form fields as not given, and expands `size=128x128` to width and height."""
        if not isinstance(given, Mapping):
            return given
        present = {name: value for name, value in given.items() if value != "" and (name, value) != ("size", None)}
        if "size" not in present:
            return present
        if present.keys() & {"width", "height"}:
            _refuse("size", "cannot be combined with width or height")
        try:
            width, height = notation.size(str(present.pop("size")))
        except ValueError as error:
            _refuse("size", str(error))
        return {**present, "width": width, "height": height}

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.fit != "inside" and (self.width is None or self.height is None):
            _refuse("fit", f"{self.fit} needs both width and height")
        if self.lossless and self.format not in ("auto", "webp", "png"):
            _refuse("lossless", f"is not possible with format {self.format}")
        if self.lossless and self.max_bytes is not None:
            _refuse("max_bytes", "cannot be combined with lossless")
        if self.lossless and self.quality is not None:
            _refuse("quality", "cannot be combined with lossless")
        for field in ("quality", "max_bytes"):
            if getattr(self, field) is not None and self.format in ("png", "gif"):
                _refuse(field, f"does not apply to format {self.format}")
        return self


def parse_output(given: Mapping[str, Any]) -> Output:
    """Parses an output from form fields, a query or JSON.

    Raises InvalidParameter with the field at fault and one sentence.
    """
    try:
        return Output.model_validate(dict(given))
    except ValidationError as error:
        raise refusal(error, Output.model_fields) from None


def refusal(error: ValidationError, known: Iterable[str]) -> InvalidParameter:
    """The InvalidParameter for a validation error: the first field at fault, and one sentence.

    For a field that does not exist, the sentence suggests the nearest of the `known` names.
    """
    first = error.errors(include_url=False)[0]
    field = str(first.get("ctx", {}).get("field") or (first["loc"][0] if first["loc"] else "")) or None
    if first["type"] == "extra_forbidden" and field is not None:
        return unknown_parameter(field, known)
    return InvalidParameter(_sentence(field, first["msg"]), field=field)


def unknown_parameter(name: str, known: Iterable[str]) -> InvalidParameter:
    """The InvalidParameter for a parameter that does not exist. It suggests the nearest of the `known` names."""
    nearest = difflib.get_close_matches(name.lower(), list(known), n=1)
    hint = f"; perhaps you mean {nearest[0]}" if nearest else ""
    return InvalidParameter(f"{name}: there is no such parameter{hint}.", field=name)


def _sentence(field: str | None, message: str) -> str:
    message = message.removeprefix("Value error, ").rstrip(".")
    if field and not message.startswith(f"{field} "):
        return f"{field}: {message}."
    return f"{message}."


def _refuse(field: str, reason: str) -> NoReturn:
    raise PydanticCustomError("combination", "{field} {reason}", {"field": field, "reason": reason})

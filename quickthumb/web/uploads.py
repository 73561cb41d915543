"""What may be sent to `POST /images/`, as JSON Schema made from the model that validates it."""

from collections.abc import Mapping
from typing import Any

from quickthumb.http.endpoints import Parameter
from quickthumb.model.order import MAX_OUTPUTS
from quickthumb.model.output import Output

OUTPUT_REFERENCE = {"$ref": "#/components/schemas/Output"}
OUTPUT_PROPERTIES: dict[str, Any] = Output.model_json_schema()["properties"]

_PICTURE = {"type": "string", "format": "binary", "description": "The image."}
_OUTPUTS = {
    "type": "array",
    "items": OUTPUT_REFERENCE,
    "minItems": 1,
    "maxItems": MAX_OUTPUTS,
    "description": "Several outputs at once, as a JSON list; parameters then stand inside of it.",
}
_PRESET = {"type": "string", "examples": ["thumbnail"]}
_PRESET_MEANING = "A named recipe, as `GET /presets` lists them; several may be given."
# One grey pixel, so that the example can be sent as it stands.
_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="


def _field(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A parameter as a form or a query sends it: left out instead of null."""
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    choice = kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {}
    given = {name: value for name, value in schema.items() if name != "anyOf" and (name, value) != ("default", None)}
    return {**given, **choice}


_FIELDS = {name: _field(schema) for name, schema in OUTPUT_PROPERTIES.items()}
_FORM = {
    "type": "object",
    "properties": {
        "image": _PICTURE,
        **_FIELDS,
        "preset": {"type": "array", "items": _PRESET, "description": _PRESET_MEANING},
        "outputs": {
            "type": "string",
            "contentMediaType": "application/json",
            "contentSchema": {name: value for name, value in _OUTPUTS.items() if name != "description"},
            "description": _OUTPUTS["description"],
        },
    },
    "required": ["image"],
}
_JSON = {
    "type": "object",
    "properties": {
        "data": {
            "type": "string",
            "contentEncoding": "base64",
            "description": "The image, in base64; a data: address is taken too.",
        },
        "filename": {"type": "string", "description": "The image's name, to be shown."},
        **OUTPUT_PROPERTIES,
        "preset": {"anyOf": [_PRESET, {"type": "array", "items": _PRESET}], "description": _PRESET_MEANING},
        "outputs": _OUTPUTS,
    },
    "required": ["data"],
}

UPLOAD_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        # Each preset as a field of its own; Swagger UI would put commas between them.
        "multipart/form-data": {"schema": _FORM, "encoding": {"preset": {"style": "form", "explode": True}}},
        "application/json": {"schema": _JSON, "example": {"data": _PIXEL, "filename": "pixel.png", "width": 64}},
        "image/*": {"schema": _PICTURE},
        "application/octet-stream": {"schema": _PICTURE},
    },
}

# One object whose keys stand in the query by themselves, instead of all parameters once more, above the form.
UPLOAD_PARAMETERS = (
    Parameter(
        "parameters",
        "query",
        "The same parameters, for when the body is the bare image. Each is a query parameter by itself: "
        "`?width=300&height=300`.",
        {"type": "object", "properties": _FIELDS},
        example={},
    ),
    Parameter("preset", "query", _PRESET_MEANING, {"type": "array", "items": _PRESET}),
)

"""What may be sent to `POST /images/`, as JSON Schema made from the model that validates it."""

from typing import Any

from quickthumb.imaging.parameters import Output
from quickthumb.service.recipe import MAX_OUTPUTS
from quickthumb.web.endpoints import Parameter

OUTPUT_REFERENCE = {"$ref": "#/components/schemas/Output"}

_OUTPUT_SCHEMA = Output.model_json_schema()
OUTPUT_PROPERTIES: dict[str, Any] = _OUTPUT_SCHEMA["properties"]
OUTPUTS = {
    "type": "array",
    "items": OUTPUT_REFERENCE,
    "minItems": 1,
    "maxItems": MAX_OUTPUTS,
    "description": "Several outputs at once, as a JSON list; parameters then stand inside of it.",
}
_PICTURE = {"type": "string", "format": "binary", "description": "The image."}
_BASE64 = {
    "type": "string",
    "contentEncoding": "base64",
    "description": "The image, in base64; a data: address is taken too.",
}
_FILENAME = {"type": "string", "description": "The image's name, to be shown."}

UPLOAD_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {"image": _PICTURE, **OUTPUT_PROPERTIES, "outputs": OUTPUTS},
                "required": ["image"],
            },
            "encoding": {"outputs": {"contentType": "application/json"}},
        },
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {"data": _BASE64, "filename": _FILENAME, **OUTPUT_PROPERTIES, "outputs": OUTPUTS},
                "required": ["data"],
            }
        },
        "image/*": {"schema": _PICTURE},
        "application/octet-stream": {"schema": _PICTURE},
    },
}

UPLOAD_PARAMETERS = tuple(
    Parameter(name, "query", schema.get("description", ""), schema) for name, schema in OUTPUT_PROPERTIES.items()
)

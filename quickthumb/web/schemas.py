"""The schemas in OpenAPI, made from the models in the form that client generators need.

A generated client sends every `default` that it reads, although a parameter must not be sent next to a preset, even
with its default. So the schemas of requests have no `default`: the description names it. Requests and answers never
share a schema, since answers have every field that requests may leave out.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from quickthumb.model.order import Order
from quickthumb.model.output import Output

Schema = dict[str, Any]

REFERENCE = "#/components/schemas/{model}"
PRESET_OUTPUT = "PresetOutput"
BINARY: Schema = {"type": "string", "format": "binary"}
# Defaults that say only that there is no value.
_NO_VALUE: tuple[Any, ...] = (None, [])
_NAMES = {"Status": "JobStatus"}


def schema_name(model: str) -> str:
    """The name of a model's schema, after which generated clients name their classes: `Job` for `JobView`."""
    return _NAMES.get(model, model.removesuffix("View"))


def reference(model: str) -> Schema:
    """A reference to the schema of a model."""
    return {"$ref": REFERENCE.format(model=schema_name(model))}


def sent(schema: Mapping[str, Any]) -> Schema:
    """The schema of a field in a request: the client leaves the field out instead of sending null or the default."""
    told = {key: said for key, said in _without_null(schema).items() if key not in ("default", "title")}
    if schema.get("default") not in _NO_VALUE and "description" in told:
        default = schema["default"]
        told["description"] += f" Default: {default if isinstance(default, str) else json.dumps(default)}."
    return told


def sent_as_text(schema: Mapping[str, Any]) -> Schema:
    """The schema of a field in a form or a query. What may be text or a list in JSON is text there."""
    told = sent(schema)
    texts = [kind for kind in told.get("anyOf", ()) if kind.get("type") == "string"]
    if len(texts) == 1 and any(kind.get("type") == "array" for kind in told["anyOf"]):
        del told["anyOf"]
        told |= texts[0]
    return told


def schemas(answered: Iterable[type[BaseModel]]) -> dict[str, Schema]:
    """All schemas by name: those that requests refer to, and those of the models that are `answered`."""
    return dict(sorted({**_requests(), **_answers(answered), PRESET_OUTPUT: _preset_output()}.items()))


def _requests() -> dict[str, Schema]:
    """What the fields of an order refer to. The bodies and queries list the fields of the order themselves."""
    found: dict[str, Schema] = Order.model_json_schema(ref_template=REFERENCE)["$defs"]
    return {name: _with_properties(schema, sent) for name, schema in found.items()}


def _answers(models: Iterable[type[BaseModel]]) -> dict[str, Schema]:
    shown: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        (model, "serialization") for model in sorted(models, key=lambda model: model.__name__)
    ]
    _, found = models_json_schema(shown, ref_template=REFERENCE)
    return {schema_name(name): _renamed(_answer(schema)) for name, schema in found["$defs"].items()}


def _answer(schema: Schema) -> Schema:
    """A field that has a value by default is always there; one that may be missing is missing instead of null."""
    properties = schema.get("properties", {})
    always = [name for name, said in properties.items() if said.get("default") is not None]
    required = list(dict.fromkeys([*schema.get("required", ()), *always]))
    told = {**schema, "required": required} if required else schema
    if properties:
        told["properties"] = {
            name: said if name in required else _without_null(said) for name, said in properties.items()
        }
    return told


def _preset_output() -> Schema:
    """An output as answers show it: its name, and the parameters that differ from their defaults."""
    schema = _with_properties(Output.model_json_schema(mode="serialization", ref_template=REFERENCE), sent)
    description = "One output of a preset: its name, and the parameters that differ from their defaults."
    return {**schema, "required": ["name"], "description": description}


def _with_properties(schema: Schema, described: Any) -> Schema:
    told = {key: said for key, said in schema.items() if key not in ("title", "default")}
    if "properties" in schema:
        told["properties"] = {name: described(said) for name, said in schema["properties"].items()}
    return told


def _without_null(schema: Mapping[str, Any]) -> Schema:
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    choice = kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {}
    return {**{key: said for key, said in schema.items() if key != "anyOf"}, **choice}


def _renamed(schema: Any) -> Any:
    """The schema without titles and defaults, which would become names and values in clients, and with new names."""
    if isinstance(schema, list):
        return [_renamed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    told = {
        key: said if key == "examples" else _renamed(said)
        for key, said in schema.items()
        if key not in ("title", "default") or isinstance(said, dict)
    }
    if isinstance(told.get("$ref"), str):
        told |= reference(told["$ref"].rpartition("/")[2])
    return told

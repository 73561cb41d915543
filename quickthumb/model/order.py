"""What a client asks for besides the picture: the outputs, and the job's own fields.

`Order` is the only list of these fields. To add a field, add it there with its type, default and description: forms,
queries, JSON bodies, the command line, validation, OpenAPI and the job's record derive from it. A field that `Order`
does not have counts as a parameter of a single output: see `output`.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from quickthumb.model.errors import InvalidParameter, OrderTooLarge
from quickthumb.model.limits import MAX_OUTPUTS
from quickthumb.model.output import Output, parse_output, refusal, unknown_parameter
from quickthumb.model.priority import NORMAL, Priority
from quickthumb.model.retention import Keep
from quickthumb.model.schedule import Delay, RunAt, refuse_two_schedules

# The preset to use when the client asks for no output.
DEFAULT_PRESET = "thumbnail"

Presets = Mapping[str, tuple[Output, ...]]
# Fields as the client sent them: text from a form, a query or the command line, any JSON value from a JSON body.
Fields = Iterable[tuple[str, Any]]


# What a client may call its jobs, and how many such words one job may have.
TAG = r"^[A-Za-z0-9_.:/@-]{1,64}$"
TAG_MEANING = "1 to 64 characters: letters and digits of ASCII, and any of _ . : / @ -"
MOST_TAGS = 16
LARGEST_CONTEXT_BYTES = 2048
DEEPEST_CONTEXT = 16


def _small_enough(value: dict[str, Any]) -> dict[str, Any]:
    """Raises ValueError for an object that is too large, too deep, or that JSON cannot hold, such as NaN."""
    if _depth(value) > DEEPEST_CONTEXT:
        raise ValueError(f"It may be nested {DEEPEST_CONTEXT} deep at most.")
    try:
        size_bytes = len(json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode())
    except ValueError:
        raise ValueError("It has a number or a text that JSON cannot hold.") from None
    if size_bytes > LARGEST_CONTEXT_BYTES:
        raise ValueError(f"It has {size_bytes} bytes; at most {LARGEST_CONTEXT_BYTES} are accepted.")
    return value


def _depth(value: Any) -> int:
    """How deep lists and objects are nested. No recursion, which a hostile value could exhaust."""
    level, depth = [value], 0
    while nested := [one for one in level if isinstance(one, dict | list)]:
        depth += 1
        level = [inner for one in nested for inner in (one.values() if isinstance(one, dict) else one)]
    return depth


Context = Annotated[dict[str, Any], AfterValidator(_small_enough)]


class Order(BaseModel):
    """Everything that a client asks for besides the picture.

    A field's type determines how clients send it. A tuple of strings or numbers may be given several times (in JSON, as
    one value or a list). An object, or a list of objects, is sent as JSON text in a form. Every other field may be
    given only once. A field with `exclude=True` is read from requests but not stored with the job. No field may have
    the same name as a parameter of `Output`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: tuple[Annotated[str, Field(examples=["thumbnail"])], ...] = Field(
        (), exclude=True, description="The name of a preset, as `GET /presets` lists them; may be given several times."
    )
    outputs: tuple[Output, ...] = Field(
        min_length=1,
        description="Several outputs at once, as a JSON list of objects; each holds the parameters of one output.",
    )
    tag: tuple[Annotated[str, Field(pattern=TAG, examples=["catalog/2026"])], ...] = Field(
        (),
        max_length=MOST_TAGS,
        description="A word of your own by which to find the job again; may be given several times.",
    )
    webhook: Annotated[str, Field(max_length=2048, examples=["https://example.com/hook"])] | None = Field(
        None, description="A URL to post to when the job ends; the setting WEBHOOK_ALLOWED must admit it."
    )
    notify_email: Annotated[str, Field(max_length=254, examples=["ada@example.com"])] | None = Field(
        None,
        description="An address to email when the job is DONE or FAILED, with a result attached; the setting "
        "EMAIL_ALLOWED must admit it.",
    )
    context: Context | None = Field(
        None,
        description=f"A JSON object of your own, of up to {LARGEST_CONTEXT_BYTES} bytes, that the job keeps and shows.",
    )
    keep: Keep | None = Field(
        None,
        description="How long to keep the job and its results after it ends, overriding the settings: `forever`, or "
        "a length of time from `1m` to `3650d`, such as `12h` or `30d`.",
    )
    dedupe: bool | None = Field(
        None,
        description="Whether to use the results of an earlier job of yours for the same image and the same outputs, if "
        "they are still kept, or being made. By default, as the setting `DEDUPE` says.",
    )
    priority: Priority = Field(
        NORMAL,
        exclude=True,
        description="The order in which waiting jobs run: high ones overtake normal ones, and normal ones low ones, "
        "within bounds.",
    )
    delay: Delay | None = Field(
        None, exclude=True, description="How many seconds to wait before the job may begin, up to 30 days."
    )
    run_at: RunAt | None = Field(
        None,
        exclude=True,
        description="When the job may begin, as a time of RFC 3339 with its zone, up to 30 days ahead.",
    )

    @model_validator(mode="after")
    def _is_scheduled_once(self) -> Self:
        refuse_two_schedules(self.delay, self.run_at)
        return self

    @classmethod
    def parse(cls, fields: Fields, presets: Presets, max_outputs: int = MAX_OUTPUTS) -> Self:
        """Parses a request's fields. The order's `outputs` are those of the presets, then those of `outputs`.

        If neither is given, the flat parameters describe a single output; if there are none, DEFAULT_PRESET is used. An
        empty field counts as not given, because forms also send the fields that were left blank.

        Raises InvalidParameter, naming the field, for a field that is unknown, invalid or given too often, and for flat
        parameters next to `preset` or `outputs`, because it would be unclear which output they belong to. Raises
        OrderTooLarge for more than `max_outputs` outputs, before it reads them.
        """
        own, parameters = _split(fields, order_fields(cls))
        _check_known(parameters, {*cls.model_fields, *Output.model_fields})
        own["outputs"] = _outputs(own, parameters, presets, max_outputs)
        try:
            return cls.model_validate(own)
        except ValidationError as error:
            raise refusal(error, cls.model_fields) from None

    def written(self) -> dict[str, Any]:
        """The order as JSON values to store with a job: `outputs`, and every other field that differs from its default.

        `read` is the inverse.
        """
        others = self.model_dump(mode="json", exclude_defaults=True, exclude={"outputs"})
        return {"outputs": [written_output(output) for output in self.outputs], **others}

    def timing(self) -> dict[str, Any]:
        """Those of `priority`, `delay` and `run_at` that were given, as JSON values."""
        given: dict[str, Any] = {"priority": self.priority} if self.priority != NORMAL else {}
        if self.delay is not None:
            given["delay"] = self.delay
        if self.run_at is not None:
            given["run_at"] = self.run_at.isoformat()
        return given

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Self:
        """The order stored with a job. Ignores fields that only a later release knows."""
        return cls.model_validate({name: value for name, value in kept.items() if name in cls.model_fields})


@dataclass(frozen=True, slots=True)
class OrderField:
    """One field of an order, for code that describes or reads orders.

    `schema` is the JSON Schema of the field's JSON value. A `repeatable` field may be given several times; a
    `json_text` field is sent as JSON text in a form.
    """

    name: str
    meaning: str
    schema: dict[str, Any]
    repeatable: bool
    json_text: bool


@cache
def order_fields(order: type[Order] = Order, references: str = "#/$defs/{model}") -> tuple[OrderField, ...]:
    """The fields of `order`, as it declares them. `references` is the template for references to nested models."""
    schema = order.model_json_schema(ref_template=references)
    return tuple(_described(name, field, schema.get("$defs", {})) for name, field in schema["properties"].items())


def written_output(output: Output) -> dict[str, Any]:
    """The output as it is stored with a job: its name, and the parameters that differ from their defaults."""
    return {"name": output.name, **output.model_dump(mode="json", exclude_defaults=True)}


def is_tag(text: str) -> bool:
    """Whether a job can have this tag."""
    return re.fullmatch(TAG, text) is not None


def output_from(parameters: Mapping[str, Any], prefix: str) -> Output:
    """Parses one of several outputs. Raises InvalidParameter, whose field is the parameter with `prefix` in front."""
    try:
        return parse_output(parameters)
    except InvalidParameter as error:
        raise InvalidParameter(error.detail, field=f"{prefix}.{error.field}" if error.field else prefix) from None


def _described(name: str, schema: dict[str, Any], definitions: Mapping[str, Any]) -> OrderField:
    kinds = [_resolved(kind, definitions) for kind in schema.get("anyOf", [schema])]
    repeatable = any(_is_scalar(_resolved(kind.get("items", {}), definitions)) for kind in kinds)
    json_text = not repeatable and not any(_is_scalar(kind) for kind in kinds)
    value = {key: said for key, said in schema.items() if key not in ("title", "description")}
    return OrderField(name, schema.get("description", ""), value, repeatable, json_text)


def _resolved(schema: dict[str, Any], definitions: Mapping[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref")
    return definitions[reference.rpartition("/")[2]] if reference else schema


def _is_scalar(schema: Mapping[str, Any]) -> bool:
    return "enum" in schema or "const" in schema or schema.get("type") in ("string", "integer", "number", "boolean")


def _split(fields: Fields, known: Iterable[OrderField]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Splits a request's fields into the order's own fields and the flat parameters of an output."""
    pairs = [(name, value) for name, value in fields if value != ""]
    repeatable = {field.name for field in known if field.repeatable}
    parameters = _once_each((name, value) for name, value in pairs if name not in repeatable)
    own: dict[str, Any] = {}
    for field in known:
        if field.repeatable:
            values = flat(value for name, value in pairs if name == field.name)
            own |= {field.name: values} if values else {}
        elif (value := parameters.pop(field.name, None)) is not None:
            own[field.name] = _decoded(value) if field.json_text else value
    return own, parameters


def _check_known(parameters: Iterable[str], known: Set[str]) -> None:
    for name in parameters:
        if name not in known:
            raise unknown_parameter(name, known)


def _once_each(pairs: Fields) -> dict[str, Any]:
    pairs = list(pairs)
    for name, count in Counter(name for name, _ in pairs).items():
        if count > 1:
            raise InvalidParameter(f"The parameter {name!r} is given {count} times.", field=name)
    return dict(pairs)


def flat(values: Iterable[Any]) -> list[Any]:
    """The values of a repeatable field. A JSON body holds several values in one list."""
    return [item for value in values if value is not None for item in (value if isinstance(value, list) else [value])]


def _decoded(value: Any) -> Any:
    """The value of a field that forms send as JSON text. Text that is not valid JSON is left as it is, and the
    validation of the field then refuses it."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _outputs(
    own: Mapping[str, Any], parameters: Mapping[str, Any], presets: Presets, max_outputs: int
) -> tuple[Output, ...]:
    named = _named(own.get("preset", ()), presets)
    if "outputs" not in own and not named:
        return (parse_output(parameters),) if parameters else presets[DEFAULT_PRESET]
    field = "outputs" if "outputs" in own else "preset"
    if parameters:
        raise InvalidParameter(
            f"Parameters of an output cannot be combined with `{field}`.", field=next(iter(parameters))
        )
    if "outputs" in own:
        listed = _listed(own["outputs"])
        check_count(len(named) + len(listed), max_outputs, field)
        named += _several(listed)
    check_count(len(named), max_outputs, field)
    _check_names(named, field)
    return named


def check_count(count: int, max_outputs: int, field: str = "outputs") -> None:
    """Raises OrderTooLarge if an order has too many outputs."""
    if count > max_outputs:
        raise OrderTooLarge(f"The job has {count} outputs; MAX_OUTPUTS allows at most {max_outputs}.", field=field)


def _named(names: Iterable[Any], presets: Presets) -> tuple[Output, ...]:
    for name in names:
        if not isinstance(name, str) or name not in presets:
            raise InvalidParameter(f"There is no such preset; the presets are {', '.join(presets)}.", field="preset")
    return tuple(output for name in names for output in presets[name])


def _listed(given: Any) -> list[dict[str, Any]]:
    if isinstance(given, str):
        raise InvalidParameter("It must be a JSON list of outputs.", field="outputs")
    if not isinstance(given, list) or not given or not all(isinstance(item, dict) for item in given):
        raise InvalidParameter(
            "It must be a JSON list of at least one output, and each output must be an object.", field="outputs"
        )
    return given


def _several(listed: list[dict[str, Any]]) -> tuple[Output, ...]:
    return tuple(
        output_from({"name": f"output-{number}", **item}, prefix=f"outputs.{number - 1}")
        for number, item in enumerate(listed, start=1)
    )


def _check_names(outputs: tuple[Output, ...], field: str) -> None:
    for name, count in Counter(output.name for output in outputs).items():
        if count > 1:
            raise InvalidParameter(f"{count} outputs are named {name!r}, but names must be unique.", field=field)

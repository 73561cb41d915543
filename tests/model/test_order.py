"""From a client's fields to the outputs of a job."""

import json
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from quickthumb.config import BUILT_IN_PRESETS
from quickthumb.model.errors import InvalidParameter, OrderTooLarge
from quickthumb.model.job import Job, now
from quickthumb.model.order import LARGEST_CONTEXT_BYTES, Order, order_fields, output_from, written_output
from quickthumb.model.output import Output
from quickthumb.model.source import Source
from quickthumb.queue.job_fields import fields_of, job_from
from quickthumb.queue.keys import JOB
from quickthumb.service.presets import read_presets

PRESETS = read_presets({**BUILT_IN_PRESETS, "card": [{"width": 600}], "again": [{"name": "card"}]})
DEFAULT_RECIPE = PRESETS["thumbnail"]


def refused(*fields: tuple[str, Any]) -> InvalidParameter:
    with pytest.raises(InvalidParameter) as caught:
        Order.parse(fields, PRESETS)
    return caught.value


def test_nothing_given_is_the_default_thumbnail() -> None:
    assert Order.parse([], PRESETS).outputs == DEFAULT_RECIPE
    (output,) = DEFAULT_RECIPE
    assert (output.name, output.width, output.height) == ("thumbnail", 128, 128)


def test_flat_parameters_make_one_output() -> None:
    assert Order.parse([("name", "hero"), ("width", "800"), ("height", 600)], PRESETS).outputs == (
        Output(name="hero", width=800, height=600),
    )
    assert Order.parse([("size", "64x48")], PRESETS).outputs == (Output(width=64, height=48),)


def test_a_field_left_blank_counts_as_not_given() -> None:
    assert Order.parse([("width", ""), ("outputs", ""), ("name", "")], PRESETS).outputs == DEFAULT_RECIPE
    assert Order.parse([("width", "64"), ("height", ""), ("width", "")], PRESETS).outputs == (Output(width=64),)


@pytest.mark.parametrize("as_text", [True, False])
def test_a_list_makes_several_outputs_and_names_those_without_a_name(as_text: bool) -> None:
    listed = [{"width": 800}, {"name": "small", "height": 64}, {"size": "10x20"}]
    outputs = Order.parse([("outputs", json.dumps(listed) if as_text else listed)], PRESETS).outputs
    assert outputs == (
        Output(name="output-1", width=800),
        Output(name="small", height=64),
        Output(name="output-3", width=10, height=20),
    )


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ([("widht", "64")], "widht"),
        ([("width", "wide")], "width"),
        ([("width", "0")], "width"),
        ([("width", "16384")], "width"),
        ([("width", "64"), ("name", "../etc/passwd")], "name"),
        ([("width", "64"), ("name", "Hero")], "name"),
        ([("width", "64"), ("name", "a" * 65)], "name"),
        ([("width", "64"), ("width", "65")], "width"),
        ([("width", "64"), ("width", "64")], "width"),
        ([("outputs", [{"width": 1}]), ("height", "64")], "height"),
        ([("outputs", [{"width": 1}, {"widht": 1}])], "outputs.1.widht"),
        ([("outputs", [{"width": 1}, {"width": "wide"}])], "outputs.1.width"),
    ],
)
def test_what_is_wrong_is_named(fields: list[tuple[str, Any]], field: str) -> None:
    assert refused(*fields).field == field


def test_an_unknown_parameter_is_told_in_a_sentence() -> None:
    assert refused(("widht", "64")).detail != ""
    assert "widht" in refused(("widht", "64")).detail


@pytest.mark.parametrize(("typo", "meant"), [("output", "outputs"), ("presets", "preset"), ("widht", "width")])
def test_a_misspelled_field_gets_a_suggestion_also_beside_a_preset(typo: str, meant: str) -> None:
    for others in ([], [("preset", "card")]):
        assert refused((typo, "x"), *others).detail == f"{typo}: there is no such parameter; perhaps you mean {meant}."


@pytest.mark.parametrize(
    "listed",
    ["", "[]", "{}", "7", "null", "nonsense", "[1]", '[{"width": 1}, null]', "[" * 100_000, '[{"width": NaN}]'][1:],
)
def test_what_is_no_list_of_outputs(listed: str) -> None:
    assert str(refused(("outputs", listed)).field).startswith("outputs")


@pytest.mark.parametrize("listed", [[], {}, 7, True, ["width"], [[{"width": 1}]]])
def test_what_is_no_list_of_outputs_in_a_json_body(listed: Any) -> None:
    assert refused(("outputs", listed)).field == "outputs"


def test_two_outputs_of_one_name() -> None:
    error = refused(("outputs", [{"name": "a", "width": 1}, {"name": "a", "width": 2}]))
    assert (error.field, "'a'" in error.detail) == ("outputs", True)
    assert refused(("outputs", [{"width": 1}, {"name": "output-1", "width": 2}])).field == "outputs"


def test_as_many_outputs_as_are_allowed_and_one_more() -> None:
    listed = [{"width": number} for number in range(1, 6)]
    assert len(Order.parse([("outputs", listed)], PRESETS, 5).outputs) == 5
    for fields in ([("outputs", listed)], [("preset", "card"), ("outputs", listed[1:])]):
        with pytest.raises(OrderTooLarge, match=r"^The job has 5 outputs; MAX_OUTPUTS allows at most 4\.$") as caught:
            Order.parse(fields, PRESETS, 4)
        assert caught.value.field == "outputs"


def test_too_many_outputs_are_not_even_read() -> None:
    with pytest.raises(OrderTooLarge):
        Order.parse([("outputs", [{"widht": "wide"}] * 33)], PRESETS)


def test_presets_alone_can_be_too_many_outputs() -> None:
    with pytest.raises(OrderTooLarge) as caught:
        Order.parse([("preset", "square-32-64"), ("preset", "card")], PRESETS, 2)
    assert caught.value.field == "preset"


@pytest.mark.parametrize("size", ["128", "128x", "x128", "axb", "1x2x3", "-1x2", "٣x٣", 128, [], {"width": 1}])
def test_a_size_that_is_none(size: Any) -> None:
    refused(("size", size))


@pytest.mark.parametrize("value", [[], {}, "1" * 5_000, "1e3", "NaN", 1.5, "9" * 20, "\x00"])
def test_a_width_of_any_kind_is_taken_or_refused_and_never_a_bug(value: Any) -> None:
    refused(("width", value))


def test_a_size_beside_a_width() -> None:
    refused(("size", "1x2"), ("width", "1"))


def test_an_output_is_written_short_and_read_back() -> None:
    for output in (*DEFAULT_RECIPE, Output(name="hero", width=800), Output(name="a", height=1)):
        kept = written_output(output)
        assert "name" in kept
        assert None not in kept.values()
        assert output_from(json.loads(json.dumps(kept)), "outputs.0") == output


def names(*fields: tuple[str, Any]) -> list[str]:
    return [output.name for output in Order.parse(fields, PRESETS).outputs]


def test_with_nothing_given_the_preset_thumbnail_is_made() -> None:
    assert Order.parse([], PRESETS).outputs == PRESETS["thumbnail"]
    assert Order.parse([("width", ""), ("preset", ""), ("preset", None)], PRESETS).outputs == PRESETS["thumbnail"]


def test_presets_come_in_the_order_in_which_they_are_given() -> None:
    assert names(("preset", "card"), ("preset", "square-32-64")) == ["card", "square-32", "square-64"]
    assert names(("preset", ["thumbnail", "card"])) == ["thumbnail", "card"]


def test_outputs_come_behind_presets() -> None:
    outputs = '[{"name": "wide", "width": 900}, {"width": 5}]'
    assert names(("outputs", outputs), ("preset", "card")) == ["card", "wide", "output-2"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ([("preset", "crad")], "preset"),
        ([("preset", 5)], "preset"),
        ([("preset", [["card"]])], "preset"),
        ([("preset", "card"), ("preset", "card")], "preset"),
        ([("preset", "card"), ("preset", "again")], "preset"),
        ([("preset", "card"), ("outputs", [{"name": "card"}])], "outputs"),
        ([("preset", "card"), ("width", "5")], "width"),
        ([("outputs", [{}]), ("width", "5")], "width"),
        ([("width", "5"), ("width", "6")], "width"),
    ],
)
def test_presets_that_make_no_sense_are_refused_by_field(fields: list[tuple[str, Any]], field: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        Order.parse(fields, PRESETS)
    assert caught.value.field == field


class Owner(BaseModel):
    name: str


class Extended(Order):
    """An order with further fields, one of each type, each declared only here."""

    urgency: Literal["high", "normal", "low"] = Field("normal", description="Which jobs are done first.")
    label: tuple[Annotated[str, Field(max_length=5)], ...] = Field((), description="Words to find the job by.")
    keep_for: int | None = Field(None, ge=60, description="How long to keep the results, in seconds.")
    due_at: datetime | None = Field(None, description="When to begin.")
    owner: Owner | None = Field(None, description="Who asked for it.")
    dry: bool = Field(False, exclude=True, description="Only check the request.")


EXTRAS: list[tuple[str, Any]] = [
    ("urgency", "high"),
    ("label", "cat"),
    ("label", "pet"),
    ("keep_for", "60"),
    ("due_at", "2030-01-31T12:00:00Z"),
    ("owner", '{"name": "Ada"}'),
    ("dry", "yes"),
]
EXTRAS_KEPT = {
    "urgency": "high",
    "label": ["cat", "pet"],
    "keep_for": 60,
    "due_at": "2030-01-31T12:00:00Z",
    "owner": {"name": "Ada"},
}


def test_no_field_of_an_order_has_the_name_of_a_parameter() -> None:
    assert not Order.model_fields.keys() & Output.model_fields.keys()


def test_a_declared_field_is_read_and_a_parameter_beside_it_is_still_an_output_s() -> None:
    order = Extended.parse([*EXTRAS, ("width", "64")], PRESETS)
    assert order.outputs == (Output(width=64),)
    assert (order.urgency, order.label, order.keep_for, order.dry) == ("high", ("cat", "pet"), 60, True)
    assert (order.due_at, order.owner) == (datetime(2030, 1, 31, 12, tzinfo=UTC), Owner(name="Ada"))


def test_a_declared_field_alone_leaves_the_outputs_to_the_default_preset() -> None:
    order = Extended.parse([("urgency", "low"), ("label", ""), ("keep_for", None)], PRESETS)
    assert order == Extended(outputs=DEFAULT_RECIPE, urgency="low")


def test_in_json_values_have_their_own_types() -> None:
    given = [("label", ["cat", "pet"]), ("keep_for", 60), ("owner", {"name": "Ada"}), ("dry", True)]
    order = Extended.parse(given, PRESETS)
    assert (order.label, order.keep_for, order.owner, order.dry) == (("cat", "pet"), 60, Owner(name="Ada"), True)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ([("urgency", "urgent")], "urgency"),
        ([("urgency", "high"), ("urgency", "low")], "urgency"),
        ([("label", "too long")], "label"),
        ([("keep_for", "59")], "keep_for"),
        ([("due_at", "tomorrow")], "due_at"),
        ([("owner", "Ada")], "owner"),
        ([("owner", '{"nam": "Ada"}')], "owner"),
        ([("owner", "[" * 100_000)], "owner"),
        ([("urgncy", "high")], "urgncy"),
    ],
)
def test_a_declared_field_that_is_not_valid_is_named(fields: list[tuple[str, Any]], field: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        Extended.parse(fields, PRESETS)
    assert caught.value.field == field
    assert caught.value.detail.endswith(".")
    assert field in caught.value.detail


def test_the_record_keeps_what_differs_from_the_defaults() -> None:
    order = Extended.parse([*EXTRAS, ("width", "64")], PRESETS)
    kept = json.loads(json.dumps(order.written()))
    assert kept == {"outputs": [{"name": "thumbnail", "width": 64}], **EXTRAS_KEPT}
    assert Extended.read(kept) == order.model_copy(update={"dry": False})
    assert Extended.parse([], PRESETS).written() == {"outputs": [written_output(DEFAULT_RECIPE[0])]}


def test_what_only_a_later_release_knows_is_passed_over() -> None:
    kept = Extended.parse(EXTRAS, PRESETS).written()
    assert Order.read(kept) == Order(outputs=DEFAULT_RECIPE)


def test_a_job_keeps_it_in_its_record_and_in_redis() -> None:
    order = Extended.parse(EXTRAS, PRESETS)
    job = Job(id="0" * 32, created_at=now(), source=Source(), order=order.written())
    assert Job.from_record(job.record()) == job
    fields = {name.encode(): value.encode() for name, value in fields_of(job).items()}
    assert Extended.read(job_from(job.id, fields, JOB).order) == order.model_copy(update={"dry": False})


def test_fields_are_described_by_how_they_are_given() -> None:
    kinds = {field.name: (field.repeatable, field.json_text) for field in order_fields(Extended)}
    once, several, as_json = (False, False), (True, False), (False, True)
    assert kinds == {
        "preset": several,
        "outputs": as_json,
        "priority": once,
        "delay": once,
        "run_at": once,
        "keep": once,
        "dedupe": once,
        "webhook": once,
        "notify_email": once,
        "tag": several,
        "context": as_json,
        "urgency": once,
        "label": several,
        "keep_for": once,
        "due_at": once,
        "owner": as_json,
        "dry": once,
    }


@pytest.mark.parametrize(
    "context",
    [
        "[]",
        '"text"',
        "17",
        "not JSON",
        '{"a": NaN}',
        '{"a": 1e999}',
        '{"a": "\\ud800"}',
        json.dumps({"a": "x" * LARGEST_CONTEXT_BYTES}),
        '{"a": ' + "[" * 900 + "]" * 900 + "}",
    ],
)
def test_a_context_that_cannot_be_kept_is_refused(context: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        Order.parse([("context", context)], PRESETS)
    assert caught.value.field == "context"


def test_the_largest_context_is_kept() -> None:
    context = {"a": "x" * (LARGEST_CONTEXT_BYTES - len('{"a":""}'))}
    assert Order.parse([("context", json.dumps(context))], PRESETS).written()["context"] == context


@pytest.mark.parametrize("tags", [["a b"], ["ä"], ["x" * 65], ["a,b"], [f"tag{number}" for number in range(17)]])
def test_tags_have_a_form_and_a_number(tags: list[str]) -> None:
    with pytest.raises(InvalidParameter) as caught:
        Order.parse([("tag", tag) for tag in tags], PRESETS)
    assert caught.value.field == "tag"

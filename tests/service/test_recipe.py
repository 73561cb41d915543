from typing import Any

import pytest

from quickthumb.config import BUILT_IN_PRESETS
from quickthumb.errors import InvalidParameter
from quickthumb.service.presets import read_presets
from quickthumb.service.recipe import recipe_from

PRESETS = read_presets({**BUILT_IN_PRESETS, "card": [{"width": 600}], "again": [{"name": "card"}]})


def names(*fields: tuple[str, Any]) -> list[str]:
    return [output.name for output in recipe_from(fields, PRESETS)]


def test_with_nothing_given_the_preset_thumbnail_is_made() -> None:
    assert recipe_from([], PRESETS) == PRESETS["thumbnail"]
    assert recipe_from([("width", ""), ("preset", ""), ("preset", None)], PRESETS) == PRESETS["thumbnail"]


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
        ([("preset", "card"), ("outputs", [{}] * 32)], "outputs"),
        ([("width", "5"), ("width", "6")], "width"),
    ],
)
def test_what_makes_no_sense_is_refused_by_field(fields: list[tuple[str, Any]], field: str) -> None:
    with pytest.raises(InvalidParameter) as caught:
        recipe_from(fields, PRESETS)
    assert caught.value.field == field

"""Values in a client's own object, as a filter names them."""

from typing import Any

import pytest

from quickthumb.model.errors import InvalidParameter
from quickthumb.model.selection import LONGEST_CONTEXT, ContextValue, Selection

CONTEXT = {
    "order": {"id": 4711, "name": "Ada: 1", "": 1},
    "price": 4711.5,
    "total": 100000.0,
    "paid": True,
    "open": False,
    "note": None,
    "empty": "",
    "rows": [1, "two", True, None, [3], {"four": 4}],
    "größe": "weiß",
    "long": 2**63 + 1,
    "deep": {"rows": [{"id": 1}]},
    "numbers": ["007", "1e3"],
}


@pytest.mark.parametrize(
    "written",
    [
        "order.id:4711",
        "order.id:4711.0",
        "order.name:Ada: 1",
        "price:4711.5",
        "total:100000",
        "total:1e5",
        "total:1E+5",
        "paid:true",
        "open:false",
        "empty:",
        "rows:1",
        "rows:two",
        "rows:true",
        "größe:weiß",
        "long:9223372036854775809",
        "numbers:007",
        "numbers:1e3",
    ],
)
def test_a_value_is_found(written: str) -> None:
    value = ContextValue.read(written)
    assert value.is_in(CONTEXT)
    assert Selection(context=(value,)).fits_order({"context": CONTEXT})


@pytest.mark.parametrize(
    "written",
    [
        "order.id:471",
        "order.id:04711",
        "order.id:4711 ",
        "order:4711",
        "order.id.x:4711",
        "orders.id:4711",
        "price:4711",
        "paid:True",
        "paid:1",
        "open:0",
        "note:null",
        "note:",
        "rows:2",
        "rows:3",
        "rows:null",
        "rows.four:4",
        "rows.0:1",
        "deep.rows.id:1",
        "long:9223372036854775808",
        "long:9.223372036854776e18",
        "price:nan",
        "price:1e999",
        "order.id:" + "9" * 400,
    ],
)
def test_another_value_is_not(written: str) -> None:
    assert not ContextValue.read(written).is_in(CONTEXT)


@pytest.mark.parametrize("context", [None, [], "order", 5, {}])
def test_a_context_without_the_keys_has_no_value(context: Any) -> None:
    assert not ContextValue.read("order.id:4711").is_in(context)


@pytest.mark.parametrize(
    "written", ["", "order", ":4711", ".id:1", "order.:1", "order..id:1", "a:" + "x" * LONGEST_CONTEXT]
)
def test_what_names_no_value_is_refused(written: str) -> None:
    with pytest.raises(InvalidParameter) as refused:
        ContextValue.read(written)
    assert refused.value.field == "context"


@pytest.mark.parametrize(
    ("text", "part"),
    [("4711", "4711"), ("Ada_1", "Ada_1"), ("true", "true"), ("007", "007"), ("0", "0")]
    + [(text, None) for text in ("1e5", "4711.5", "-1", "1" * 16, "Ada 1", "ß", "", '"')],
)
def test_what_redis_may_look_for(text: str, part: str | None) -> None:
    assert ContextValue(("order",), text).part_of_json == part


@pytest.mark.parametrize(
    ("wanted", "name", "fits"),
    [
        ("CAT", "my-cat.jpg", True),
        ("straße", "STRASSE.png", True),
        ("ΑΘΗΝΑ", "αθηνα.jpg", True),
        ("dog", "cat.jpg", False),
        ("cat", None, False),
    ],
)
def test_names_are_compared_whatever_their_case(wanted: str, name: str | None, fits: bool) -> None:
    assert Selection(filename=wanted).fits_source({"filename": name}) is fits

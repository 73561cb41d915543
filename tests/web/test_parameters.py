"""`GET /parameters`: what a form of a request can be built from."""

import httpx
from jsonschema import Draft202012Validator

from quickthumb.model.order import Order
from quickthumb.model.output import Output


async def test_every_parameter_is_listed_once(client: httpx.AsyncClient) -> None:
    answer = (await client.get("/parameters")).json()
    names = [name for group in answer["output"] for name in group["parameters"]]
    assert len(names) == len(set(names))
    assert set(names) == Output.model_json_schema()["properties"].keys()
    assert answer["job"].keys() == Order.model_fields.keys() - {"preset", "outputs"}


async def test_each_has_a_schema_with_its_default_and_meaning(client: httpx.AsyncClient) -> None:
    answer = (await client.get("/parameters")).json()
    groups = {group["name"]: group["parameters"] for group in answer["output"]}
    assert groups["format"]["quality"]["maximum"] == 100
    assert groups["format"]["dither"]["default"] is True
    assert "default" not in groups["size"]["width"]
    assert groups["size"]["crop"]["type"] == "string"
    for group in (*groups.values(), answer["job"]):
        for schema in group.values():
            Draft202012Validator.check_schema(schema)
            assert schema["description"]


async def test_a_parameter_that_no_group_names_is_among_the_others(client: httpx.AsyncClient) -> None:
    answer = (await client.get("/parameters")).json()
    assert answer["output"][-1]["name"] == "more"
    assert {"name", "metadata", "hdr", "truncated"} <= answer["output"][-1]["parameters"].keys()

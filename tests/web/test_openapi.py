import json
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel
from starlette.routing import Route

from quickthumb.app import app
from quickthumb.compat.services import endpoints_of
from quickthumb.http.problems import Problem
from quickthumb.http.quotas import MEANINGS
from quickthumb.model.errors import catalogue
from quickthumb.model.order import order_fields
from quickthumb.model.output import Output
from quickthumb.web.presentation import AcceptedJobView, JobPageView, JobView
from quickthumb.web.routes import DASHBOARD, ENDPOINTS, PAGES
from tests.web.conftest import done, upload

Description = dict[str, Any]
IF_THERE_ARE_QUOTAS = {name.lower() for name, _ in MEANINGS}
MODELS: dict[str, type[BaseModel]] = {
    "AcceptedJob": AcceptedJobView,
    "Job": JobView,
    "JobPage": JobPageView,
    "Problem": Problem,
}


@pytest.fixture
async def description(client: httpx.AsyncClient) -> Description:
    found: Description = (await client.get("/openapi.json")).json()
    return found


def operations(description: Description) -> list[Description]:
    return [operation for methods in description["paths"].values() for operation in methods.values()]


def check(description: Description, answer: httpx.Response, method: str, path: str) -> None:
    """Checks a response against its OpenAPI description."""
    operation = description["paths"][path][method.lower()]
    said = operation["responses"][str(answer.status_code)]
    media_type = answer.headers.get("content-type", "").partition(";")[0]
    if "content" not in said:
        assert answer.content == b""
        return
    assert media_type in said["content"]
    schema = said["content"][media_type].get("schema")
    if media_type.endswith("json"):
        whole = {**schema, "components": description["components"]}
        Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(answer.json())
    assert {name.lower() for name in said.get("headers", ())} - IF_THERE_ARE_QUOTAS <= set(answer.headers)


def test_whatever_needs_a_key_may_be_refused_because_of_a_quota(description: Description) -> None:
    operations = [operation for path in description["paths"].values() for operation in path.values()]
    for operation in operations:
        headers = {name.lower() for name in operation["responses"].get("429", {}).get("headers", ())}
        is_limited = "security" in operation or operation["operationId"] == "createSession"
        assert is_limited == (headers == {"retry-after", *IF_THERE_ARE_QUOTAS})


def test_it_is_openapi_3_1(description: Description) -> None:
    assert description["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(description).validate()


def test_every_route_is_described_once(description: Description) -> None:
    served = {
        (route.name, method) for route in app.routes if isinstance(route, Route) for method in route.methods or ()
    }
    pages = {page.path for page in (*PAGES, *DASHBOARD)}
    expected = {(path, method) for path, method in served if path not in pages and method != "HEAD"}
    described = {(path, method.upper()) for path, methods in description["paths"].items() for method in methods}
    assert described == expected
    assert len(ENDPOINTS) + len(endpoints_of(["all"])) == len(described)


def test_every_operation_has_a_name_of_its_own_and_says_what_it_does(description: Description) -> None:
    names = [operation["operationId"] for operation in operations(description)]
    assert len(set(names)) == len(names)
    assert all(operation["summary"] and operation["description"] for operation in operations(description))


def test_the_schemas_are_the_models(description: Description) -> None:
    schemas = description["components"]["schemas"]
    for name, model in MODELS.items():
        properties = model.model_json_schema(mode="serialization")["properties"]
        assert schemas[name]["properties"].keys() == properties.keys()
    assert schemas["Output"]["properties"].keys() == Output.model_json_schema()["properties"].keys()


def test_no_schema_has_a_default(description: Description) -> None:
    """Generated clients would send it, although a parameter must not be sent next to a preset."""
    assert '"default"' not in json.dumps(description)


def test_what_requests_and_answers_may_leave_out_is_optional_and_never_null(description: Description) -> None:
    content = description["paths"]["/images/"]["post"]["requestBody"]["content"]
    schemas = description["components"]["schemas"]
    bodies = [content[media_type]["schema"] for media_type in ("multipart/form-data", "application/json")]
    for schema in (*bodies, *schemas.values()):
        for name, told in schema.get("properties", {}).items():
            if name not in schema.get("required", ()):
                assert {"type": "null"} not in told.get("anyOf", ()), name
    assert {"started_at", "finished_at", "error", "results"} <= set(schemas["Job"]["required"])
    assert set(schemas["Problem"]["required"]) == {"type", "status", "code", "title", "detail"}
    assert schemas["PresetOutput"]["required"] == ["name"]
    assert "required" not in schemas["Output"]


def test_every_way_of_sending_an_image_takes_every_parameter(description: Description) -> None:
    operation = description["paths"]["/images/"]["post"]
    parameters = Output.model_json_schema()["properties"].keys()
    content = operation["requestBody"]["content"]
    assert content.keys() == {"multipart/form-data", "application/json", "application/octet-stream"}
    for media_type, image in (("multipart/form-data", "image"), ("application/json", "data")):
        schema = content[media_type]["schema"]
        assert {image, "url"} <= schema["properties"].keys()  # one of the two
        assert parameters | {image, "outputs", "preset", "keep"} <= schema["properties"].keys()
    query = {one["name"]: one["schema"] for one in operation["parameters"] if one["in"] == "query"}
    fields = {field.name for field in order_fields() if not field.json_text}
    assert query.keys() == {"wait", "sign", "parameters", "filename", *fields}
    assert query["parameters"]["properties"].keys() == parameters
    assert query["preset"]["type"] == "array"
    assert query["keep"]["pattern"].startswith("^(forever|")
    assert "null" not in str(content["multipart/form-data"])


def test_every_error_is_in_the_catalogue(description: Description) -> None:
    known = {error.code: error for error in catalogue()}
    for operation in operations(description):
        for status, answer in operation["responses"].items():
            if status < "400":
                continue
            examples = answer["content"]["application/problem+json"]["examples"]
            for code, example in examples.items():
                assert str(known[code].status) == status
                assert f"`{code}`" in answer["description"]
                Problem.model_validate(example["value"])


def test_examples_are_what_they_are_examples_of(description: Description) -> None:
    schemas = description["components"]["schemas"]
    for name in ("Job", "AcceptedJob"):
        schema = {**schemas[name], "components": description["components"]}
        for example in schema["examples"]:
            Draft202012Validator(schema).validate(example)


async def test_the_example_of_a_job_has_what_a_job_has(client: httpx.AsyncClient, description: Description) -> None:
    shown, job = description["components"]["schemas"]["Job"]["examples"][0], await done(client)
    assert shown["source"].keys() == job["source"].keys()
    assert shown["results"]["thumbnail"].keys() == job["results"]["thumbnail"].keys()


async def test_the_example_of_an_upload_can_be_sent(client: httpx.AsyncClient, description: Description) -> None:
    body = description["paths"]["/images/"]["post"]["requestBody"]["content"]["application/json"]
    Draft202012Validator({**body["schema"], "components": description["components"]}).validate(body["example"])
    job = (await client.post("/images/", json=body["example"])).json()
    assert (await client.get(job["links"]["self"], params={"wait": 30})).json()["status"] == "DONE"


async def test_answers_are_as_described(client: httpx.AsyncClient, description: Description) -> None:
    job = await done(client)
    sent = await client.post("/images/", files={"image": ("cat.jpg", b"%PDF-1.7")})
    check(description, sent, "POST", "/images/")
    result = job["results"]["thumbnail"]["url"]
    for path, address in (
        ("/jobs", "/jobs?limit=2"),
        ("/jobs", "/jobs?limit=x"),
        ("/jobs/{job_id}", job["links"]["self"]),
        ("/jobs/{job_id}", "/jobs/x"),
        ("/jobs/{job_id}/results/{name}", result),
        ("/jobs/{job_id}/results/{name}", f"{result}x"),
        ("/jobs/{job_id}/original", job["links"]["original"]),
        ("/healthz", "/healthz"),
        ("/readyz", "/readyz"),
        ("/metrics", "/metrics"),
        ("/openapi.json", "/openapi.json"),
    ):
        check(description, await client.get(address), "GET", path)
    for headers in ({"Range": "bytes=0-9"}, {"Range": "bytes=999999-"}, {"If-None-Match": "*"}):
        check(description, await client.get(result, headers=headers), "GET", "/jobs/{job_id}/results/{name}")
    check(description, await client.delete(job["links"]["self"]), "DELETE", "/jobs/{job_id}")


async def test_answers_of_a_service_without_a_worker_are_as_described(
    waiting: httpx.AsyncClient, description: Description
) -> None:
    job = await upload(waiting)
    check(description, await waiting.get(job["links"]["self"]), "GET", "/jobs/{job_id}")
    check(description, await waiting.get("/readyz"), "GET", "/readyz")
    result = f"{job['links']['self']}/results/thumbnail"
    check(description, await waiting.get(result), "GET", "/jobs/{job_id}/results/{name}")

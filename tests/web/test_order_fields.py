"""A field declared in `Order` is accepted by every way of sending an image, described in OpenAPI, and kept."""

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from jsonschema import Draft202012Validator
from redis.asyncio import Redis
from starlette.applications import Starlette

from quickthumb.config import BUILT_IN_PRESETS, Config
from quickthumb.intake import IntakeLimits
from quickthumb.model.job import Job
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output
from quickthumb.queue.emails import EmailStore
from quickthumb.queue.idempotency import Idempotency
from quickthumb.queue.jobs import JobStore
from quickthumb.queue.policies import PolicyClaims
from quickthumb.queue.rates import EmailRates
from quickthumb.queue.watch import JobWatch
from quickthumb.service.accept import Acceptance
from quickthumb.service.emails import MailService
from quickthumb.service.health import Health
from quickthumb.service.jobs import ImageService
from quickthumb.service.policies import PolicyUses
from quickthumb.service.presets import TenantPresets, read_presets
from quickthumb.service.shutdown import Shutdown
from quickthumb.service.sources import SourceIntake
from quickthumb.service.submit import Submission
from quickthumb.storage import FileStorage
from quickthumb.web.application import application
from quickthumb.web.images import upload_body, upload_parameters
from quickthumb.wiring import event_service, webhook_outbox
from tests.conftest import picture
from tests.model.test_order import EXTRAS, EXTRAS_KEPT, Extended
from tests.redis_fixtures import client, redis_url, shared_redis
from tests.web.conftest import NO_KEYS, NO_WEBHOOKS, Refusal, refusal

__all__ = ["client", "redis_url", "shared_redis"]

PICTURE = picture()
KEPT = {"outputs": [{"name": "thumbnail", "width": 64}], **EXTRAS_KEPT}
TEXTS = [*EXTRAS, ("width", "64")]
VALUES = {**EXTRAS_KEPT, "dry": True, "width": 64}


@pytest.fixture
def storage(tmp_path: Path) -> FileStorage:
    return FileStorage(tmp_path)


@pytest.fixture
def store(client: Redis) -> JobStore:
    return JobStore(client, retention_seconds=60)


@pytest.fixture
async def http(client: Redis, store: JobStore, storage: FileStorage) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that accepts Extended orders; everything else is wired as in `app`."""
    limits = IntakeLimits(
        max_upload_bytes=1_000_000, max_fields=30, max_fields_bytes=10_000, idle_seconds=5, total_seconds=5
    )
    sources = SourceIntake(storage, limits, Limits(max_pixels=1_000_000))
    acceptance = Acceptance(store, storage, Idempotency(client), max_queued=9)
    submission = Submission(
        sources,
        acceptance,
        TenantPresets(read_presets(BUILT_IN_PRESETS)),
        Extended,
        limits=Limits(),
        budget_bytes=10**9,
        policies=PolicyUses(PolicyClaims(client), storage),
    )
    watch = JobWatch(client)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield

    service = ImageService(store, storage, watch, submission)
    mail = MailService(
        EmailStore(client), storage, EmailRates(client, most=1, most_per_mailbox=1), allowed=[], max_queued=1
    )
    outbox = webhook_outbox(Config(), client, storage)
    events = event_service(Config(), client, storage, watch, Shutdown(), outbox)
    app = application(
        service,
        mail,
        Health(store, storage),
        events=events,
        webhooks=NO_WEBHOOKS,
        max_wait_seconds=1,
        lifespan=lifespan,
        keyring=NO_KEYS,
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as http:
        yield http
    await watch.close()


def in_form() -> dict[str, Any]:
    texts = [(name, (None, value.encode())) for name, value in TEXTS]
    return {"url": "/images/", "files": [("image", ("cat.jpg", PICTURE)), *texts]}


def in_query() -> dict[str, Any]:
    return {"url": f"/images/?{urlencode(TEXTS)}", "content": PICTURE, "headers": {"Content-Type": "image/jpeg"}}


def in_json() -> dict[str, Any]:
    return {"url": "/images/", "json": {"data": base64.b64encode(PICTURE).decode(), **VALUES}}


@pytest.mark.parametrize("sent", [in_form(), in_query(), in_json()], ids=["form", "query", "json"])
async def test_every_way_of_sending_takes_it_and_the_record_keeps_it(
    http: httpx.AsyncClient, store: JobStore, storage: FileStorage, sent: dict[str, Any]
) -> None:
    answer = await http.post(**sent)
    assert answer.status_code == 202, answer.text
    job_id = answer.json()["id"]
    record = (await storage.look_up(job_id)).record
    assert record is not None
    kept, queued = Job.from_record(record), await store.get(job_id)
    assert kept.order == KEPT
    assert queued is not None
    assert queued.model_copy(update={"client": None}) == kept  # addresses are in no record
    assert Extended.read(kept.order).urgency == "high"


async def test_what_is_not_valid_is_refused_by_its_name(http: httpx.AsyncClient) -> None:
    for field, value in (("urgency", "urgent"), ("keep_for", "5"), ("owner", "{"), ("urgncy", "high")):
        answer = await http.post(
            f"/images/?{urlencode({field: value})}", content=PICTURE, headers={"Content-Type": "image/jpeg"}
        )
        assert refusal(answer) == Refusal(422, "invalid_parameter", field)


def test_it_is_described_as_form_json_and_query_have_it() -> None:
    content = upload_body(Extended)["content"]
    form = content["multipart/form-data"]["schema"]["properties"]
    body = content["application/json"]["schema"]["properties"]
    query = {parameter.name: parameter for parameter in upload_parameters(Extended)}
    for name, field in Extended.model_fields.items():
        for described in (form[name]["description"], body[name]["description"]):
            assert described.startswith(field.description or "?")
    assert form["urgency"]["enum"] == body["urgency"]["enum"] == query["urgency"].schema["enum"]
    assert form["keep_for"] == {
        "type": "integer",
        "minimum": 60,
        "description": Extended.model_fields["keep_for"].description,
    }
    assert (form["label"]["type"], query["label"].schema["type"]) == ("array", "array")
    assert (form["owner"]["type"], form["owner"]["contentMediaType"]) == ("string", "application/json")
    assert "owner" not in query
    assert content["multipart/form-data"]["encoding"].keys() == {"preset", "tag", "label"}


def test_the_described_schemas_admit_what_was_sent() -> None:
    definitions = {**Extended.model_json_schema(ref_template="#/components/schemas/{model}")["$defs"]}
    components = {"components": {"schemas": {**definitions, "Output": Output.model_json_schema()}}}
    body = upload_body(Extended)["content"]["application/json"]["schema"]
    Draft202012Validator({**body, **components}).validate(json.loads(json.dumps({"data": "", **VALUES})))
    Draft202012Validator({**body, **components}).validate({"data": "", "label": "cat", "preset": "thumbnail"})

"""How responses show a job: as the models say from which OpenAPI derives."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from quickthumb.http.endpoints import json_answer
from quickthumb.http.files import media_of
from quickthumb.http.urls import Urls
from quickthumb.model.caller import ANONYMOUS, Caller, Scope
from quickthumb.model.job import Failure, Job, PastAttempt, Result, Status
from quickthumb.model.source import Source
from quickthumb.web.presentation import AcceptedJobView, JobPageView, JobView, present, present_accepted, present_one

ACCEPTED_AT = datetime(2026, 1, 31, 12, 0, 0, 4000, UTC)
KNOWN = Source(filename='"Käse\n" 猫.jpg', format="jpeg", width=3, height=2, bytes=5, sha256="0" * 64)
FACTS: dict[str, Any] = {
    "frames": 1,
    "has_alpha": False,
    "hdr": None,
    "provenance": {"ai": ["generated"], "score": 0.5},
}
RESULT = Result(
    name="card", filename="card.webp", format="webp", width=3, height=2, bytes=9, quality=80, warnings=["it is small"]
)


def job(status: Status, **facts: Any) -> Job:
    times = {"started_at": ACCEPTED_AT + timedelta(seconds=1)} if status is not Status.WAITING else {}
    if status.ended:
        times["finished_at"] = ACCEPTED_AT + timedelta(hours=1)
    order = {"outputs": [{"name": "card"}]}
    return Job(
        **{"id": "0" * 32, "status": status, "created_at": ACCEPTED_AT, "source": KNOWN, "order": order} | times | facts
    )


LOST = PastAttempt(1, None, 1_769_860_800_005, None, None, None)
BROKEN = PastAttempt(2, "images-1:4711:9d2c7e1b", 1_769_860_801_005, 45, Status.FAILED, "broken_image")
JOBS = [
    job(Status.WAITING),
    job(Status.WAITING, source=Source()),
    job(Status.IN_PROGRESS, attempts=2),
    job(Status.DONE, source=Source(**KNOWN.model_dump(), **FACTS), results=(RESULT,)),
    job(
        Status.FAILED,
        error=Failure(code="broken_image", title="Broken", detail="It ends early."),
        history=(LOST, BROKEN),
    ),
    job(Status.CANCELLED, started_at=None),
]


@pytest.mark.parametrize("shown", JOBS, ids=lambda job: job.status)
@pytest.mark.parametrize("prefix", ["", "/thumbs"])
def test_a_job_is_shown_exactly_as_its_model_says(shown: Job, prefix: str) -> None:
    body = bytes(json_answer(present(shown, Urls(prefix))).body)
    assert JobView.model_validate_json(body).model_dump_json().encode() == body
    body = bytes(json_answer(present_one(shown, Urls(prefix), ANONYMOUS)).body)
    assert JobView.model_validate_json(body).model_dump_json().encode() == body
    accepted = bytes(json_answer(present_accepted(shown, Urls(prefix), ANONYMOUS)).body)
    assert AcceptedJobView.model_validate_json(accepted).model_dump_json().encode() == accepted


def test_a_page_is_shown_exactly_as_its_model_says() -> None:
    jobs = [present(shown, Urls()) for shown in JOBS]
    moment = "2026-01-31T12:00:00.000Z"
    page = {"jobs": jobs, "total": 1, "next": "/jobs?cursor=1", "cursor": None, "looked_back_to": moment}
    body = bytes(json_answer(page).body)
    assert JobPageView.model_validate_json(body).model_dump_json().encode() == body


@pytest.mark.parametrize(
    ("caller", "sees"),
    [
        (Caller(), True),
        (Caller("shop", own_tenant="default"), True),
        (Caller("shop"), False),
        (Caller(scopes=frozenset({Scope.JOBS_READ})), False),
    ],
    ids=["operator", "operator for a tenant", "tenant", "reader"],
)
def test_only_operators_see_the_names_of_their_machines(caller: Caller, sees: bool) -> None:
    (attempt,) = present_one(job(Status.DONE, history=(BROKEN,)), Urls(), caller)["history"]
    assert attempt["worker"] == (BROKEN.worker if sees else None)
    assert attempt["seconds"] == 0.045


def test_what_is_not_known_of_a_source_is_null() -> None:
    source = Source(filename="cat.jpg")
    job = Job(id="0" * 32, created_at=datetime(2026, 1, 31, tzinfo=UTC), source=source, order={"outputs": []})
    shown = json.loads(bytes(json_answer(present(job, Urls())).body))
    facts = ("format", "width", "height", "bytes", "sha256")
    assert shown["source"] == {"filename": "cat.jpg", **dict.fromkeys(facts)}


def test_bytes_of_an_unknown_format_are_served_as_any_bytes() -> None:
    assert media_of(None) == ("application/octet-stream", "bin")
    assert media_of("jpeg") == ("image/jpeg", "jpg")

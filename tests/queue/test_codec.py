"""How jobs are written in Redis: as JSON, which cannot run code when it is read."""

import json

from arq.jobs import deserialize_job_raw

from quickthumb.model.job import Failure, Outcome, Result, Status, from_milliseconds, now, to_milliseconds
from quickthumb.queue import codec
from quickthumb.queue.job_fields import ending_of, fields_of, job_from
from quickthumb.queue.keys import JOB
from tests.redis_fixtures import a_job


def _bytes(fields: dict[str, str]) -> dict[bytes, bytes]:
    return {name.encode(): text.encode() for name, text in fields.items()}


def test_a_new_job_comes_back_as_it_was() -> None:
    job = a_job()
    assert job_from(job.id, _bytes(fields_of(job)), JOB) == job


def test_a_done_job_comes_back_with_its_results_and_what_was_found_out() -> None:
    job = a_job()
    source = job.source.model_validate({**job.source.model_dump(), "width": 300, "height": 400, "placeholder": "1QcS"})
    result = Result(
        name="thumbnail", filename="thumbnail.jpg", format="jpeg", width=96, height=128, bytes=4047, quality=80
    )
    outcome = Outcome(status=Status.DONE, finished_at=now(), source=source, results=(result,))
    fields = {**fields_of(job), **ending_of(outcome), "status": "DONE", "started_ms": "1700000000123"}
    found = job_from(job.id, _bytes({**fields, "attempts": "2", "token": "t", "strikes": "1"}), JOB)
    assert found.status is Status.DONE
    assert found.source == source
    assert found.results == (result,)
    assert found.error is None
    assert found.attempts == 2
    assert found.started_at == from_milliseconds(1_700_000_000_123)
    assert found.finished_at == outcome.finished_at


def test_a_failed_job_comes_back_with_its_reason() -> None:
    job = a_job()
    failure = Failure(code="broken_image", title="The image is damaged", detail="It ends too early — “cut”.")
    outcome = Outcome(status=Status.FAILED, finished_at=now(), source=job.source, error=failure)
    found = job_from(job.id, _bytes({**fields_of(job), **ending_of(outcome), "status": Status.FAILED}), JOB)
    assert found.error == failure
    assert found.results == ()


def test_what_arq_calls_is_json_with_nothing_but_a_name_and_an_id() -> None:
    job = a_job()
    call = codec.entry_for(JOB, job.id, to_milliseconds(job.created_at))
    assert isinstance(json.loads(call), dict)
    name, arguments, named, job_try, _ = deserialize_job_raw(call, deserializer=codec.load)
    assert (name, list(arguments), named) == ("process", [job.id], {})
    assert not job_try


def test_an_exception_is_written_as_text() -> None:
    assert codec.load(codec.dump({"r": ValueError("no")})) == {"r": "ValueError('no')"}

"""The log: its two formats, and that one grep for a request's id tells the whole story of its picture."""

import asyncio
import json
import logging
import logging.config
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from uvicorn.logging import AccessFormatter, DefaultFormatter

from quickthumb import logs
from tests.conftest import clean_environment, http_client, picture, running_service
from tests.redis_server import RedisServer
from tests.waiting import wait_until
from tests.web.conftest import done
from tests.web_process import SERVE, running_web

REQUEST_ID = "trace-42.a/b"


def record(message: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord("quickthumb.job", logging.INFO, "", 0, message, args, None)


def as_json(message: str, *args: object) -> dict[str, str]:
    line = logs.JsonLines().format(record(message, *args))
    assert "\n" not in line
    found: dict[str, str] = json.loads(line)
    return found


def test_a_line_of_text_has_the_time_the_level_and_the_message() -> None:
    line = logs.TextLines().format(record("%d jobs", 2))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} INFO    2 jobs", line)


def test_a_line_of_json_has_the_same_and_the_logger() -> None:
    found = as_json("%d jobs", 2)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+\+00:00", found.pop("time"))
    assert found == {"level": "INFO", "logger": "quickthumb.job", "message": "2 jobs"}


def test_an_exception_is_part_of_the_json() -> None:
    try:
        raise ValueError("bad")
    except ValueError:
        failed = record("failed")
        failed.exc_info = sys.exc_info()
    assert "ValueError: bad" in json.loads(logs.JsonLines().format(failed))["exception"]


def test_no_message_can_forge_a_line() -> None:
    forged = "cat\r\n2026-01-31 12:00:00.000 INFO    all is well\x1b[2J\x85"
    assert r"cat\x0d\x0a2026-01-31" in logs.TextLines().format(record(forged))
    assert as_json(forged)["message"].isprintable()


# A line break of each kind, what clears a terminal (ESC and CSI), and what writes text backwards.
HOSTILE = ["\r", "\n", "\x0b", "\x1b[2J", "\x7f", "\x85", "\x9b2J", "\u2028", "\u2029", "\u202e", "\u2066"]


@pytest.fixture
def escaping() -> Iterator[None]:
    """The records of this process are made as in the service."""
    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(logs.Record)
    yield
    logging.setLogRecordFactory(before)


FOREIGN = {
    "ours": (logs.TextLines(), "%s", ("{}",)),
    "ours, from uvicorn": (logs.TextLines(), "{}", ()),
    "any program's": (logging.Formatter("%(message)s"), "for %r and %s", (ValueError("{}"), ValueError("{}"))),
    "uvicorn's": (DefaultFormatter("%(levelprefix)s %(message)s", use_colors=False), "%s", ("{}",)),
    "uvicorn's access log": (
        AccessFormatter('%(client_addr)s - "%(request_line)s" %(status_code)s', use_colors=False),
        '%s - "%s %s HTTP/%s" %d',
        ("{}", "GET{}", "/{}", "1.1", 200),
    ),
}


@pytest.mark.usefixtures("escaping")
@pytest.mark.parametrize("kind", FOREIGN)
def test_no_control_character_reaches_a_line_whoever_formats_it(kind: str) -> None:
    formatter, message, arguments = FOREIGN[kind]
    for hostile in HOSTILE:
        filled = [
            type(part)(str(part).format(hostile)) if isinstance(part, str | ValueError) else part for part in arguments
        ]
        made = logging.getLogger("any").makeRecord(
            "any", logging.INFO, "", 0, message.format(hostile), tuple(filled), None
        )
        assert formatter.format(made).isprintable(), hostile


@pytest.mark.usefixtures("escaping")
@pytest.mark.parametrize("formatter", [logs.TextLines(), logging.Formatter("%(message)s"), logs.JsonLines()], ids=type)
def test_an_exception_cannot_forge_a_line(formatter: logging.Formatter) -> None:
    forged = "2026-01-31 12:00:00.000 INFO    all is well"
    for hostile in HOSTILE:
        try:
            raise ValueError(f"bad{hostile}\n{forged}")
        except ValueError:
            line = formatter.format(
                logging.getLogger("any").makeRecord("any", logging.INFO, "", 0, "failed", (), sys.exc_info())
            )
        first, *others = line.split("\n")
        assert first.isprintable()
        assert all(other.startswith("    ") and other.isprintable() for other in others)
        if isinstance(formatter, logs.JsonLines):
            assert all(part.isprintable() for part in json.loads(line)["exception"].split("\n"))


@pytest.mark.usefixtures("escaping")
def test_every_process_that_sets_up_its_log_makes_such_records() -> None:
    logging.setLogRecordFactory(logging.LogRecord)
    logs.configure("auto")
    assert logging.getLogRecordFactory() is logs.Record


@pytest.mark.usefixtures("escaping")
def test_uvicorn_keeps_its_colors() -> None:
    formatter = DefaultFormatter("%(levelprefix)s %(message)s", use_colors=True)
    made = logging.getLogger("any").makeRecord(
        "any", logging.INFO, "", 0, "at %s", ("\x1b[2J",), None, extra={"color_message": "at \x1b[1m%s\x1b[0m"}
    )
    assert formatter.format(made).endswith("at \x1b[1m\\x1b[2J\x1b[0m")


async def test_lines_have_the_ids_of_their_task_alone() -> None:
    async def one(job_id: str) -> str:
        logs.begin(job_id=job_id)
        logs.mark(request_id=f"r-{job_id}", other=None)
        await asyncio.sleep(0)
        inner = asyncio.create_task(asyncio.to_thread(logs.TextLines().format, record("done")))
        assert as_json("done")["request_id"] == f"r-{job_id}"
        return await inner

    lines = await asyncio.gather(*(asyncio.create_task(one(job_id)) for job_id in "abc"))
    assert [line.split(" done ")[1] for line in lines] == [f"job_id={x} request_id=r-{x}" for x in "abc"]
    assert "job_id" not in as_json("done")


async def test_an_id_is_not_repeated_after_a_message_that_has_it() -> None:
    logs.mark(job_id="5f0c")
    assert logs.TextLines().format(record("job 5f0c: done")).endswith("job 5f0c: done")


def test_the_format_is_json_unless_it_goes_to_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    def chosen(line_format: str) -> str:
        return str(logs.dictionary(line_format)["formatters"]["lines"]["()"]).rpartition(".")[2]

    for terminal in (True, False):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal)
        assert chosen("auto") == ("TextLines" if terminal else "JsonLines")
        assert (chosen("text"), chosen("json")) == ("TextLines", "JsonLines")


async def test_one_grep_tells_the_whole_story_of_a_picture(tmp_path: Path) -> None:
    with running_service(tmp_path, log_format="json") as address:
        async with http_client(address) as client:
            client.headers["X-Request-ID"] = REQUEST_ID
            job = await done(client, data=picture())
            client.headers["X-Request-ID"] = "other"
            await done(client, data=picture())
            assert (await client.get("/healthz")).headers["x-request-id"] == "other"
    lines = [json.loads(line) for line in (tmp_path / "up.log").read_text().splitlines()]
    assert all(line["time"] and line["process"] and line["message"] for line in lines)
    story = [line for line in lines if line.get("request_id") == REQUEST_ID]
    assert [line["process"] for line in story] == ["web", "worker"]
    assert {line["job_id"] for line in story} == {job["id"]}
    assert story[0]["message"].startswith("POST /images/: 202 in ")
    assert "image resized and saved" in story[1]["message"]
    assert not [line for line in lines if "GET " in line["message"]]


CONTROLS = "\r\n\x1b[2J\x7f\x85\x9b\u2028\u202eforged"
HEADER = "\x85\x9b2J\u2028\u202eforged".encode()  # HTTP itself forbids the others
HEADERS = ("X-Forwarded-For", "X-Request-ID", "Idempotency-Key", "Origin", "Prefer", "User-Agent")
PLAIN = ("uvicorn", "quickthumb.app:app", "--port", "0")


@pytest.mark.parametrize("words", [SERVE, PLAIN], ids=["serve", "plain uvicorn"])
@pytest.mark.parametrize("line_format", ["text", "json"])
async def test_nothing_that_a_client_sends_forges_a_line(
    tmp_path: Path, words: tuple[str, ...], line_format: str
) -> None:
    hostile = quote(CONTROLS)
    part = f"--x\r\nContent-Disposition: form-data; name=image; filename*=UTF-8''{hostile}\r\n\r\n".encode()
    form: dict[str, Any] = {
        "content": part + picture() + b"\r\n--x--",
        "headers": {"Content-Type": "multipart/form-data; boundary=x"},
    }
    async with (
        RedisServer(tmp_path) as redis,
        running_web(
            tmp_path, redis.url, words=words, log_requests="all", log_format=line_format, trusted_proxies="127.0.0.1"
        ) as web,
        http_client(web.address) as client,
    ):
        for name in HEADERS:
            answer = await client.post(f"/images/?{hostile}", headers={name.encode(): HEADER})
            assert answer.status_code >= 400
        for method, path in (("GET", f"/jobs/{hostile}"), ("DELETE", f"/{hostile}?{hostile}"), ("GET", "/jobs")):
            answer = await client.request(method, path)
        answer = await client.post("/images/", **form)
        assert answer.status_code == 202
        await wait_until(lambda: answer.headers["x-request-id"] in web.log.read_text())
        text = web.log.read_bytes().decode()
    assert all(character.isprintable() or character == "\n" for character in text)
    assert not [line for line in text.split("\n") if line.startswith("forged")]


async def test_arqs_own_lines_look_like_all_lines(tmp_path: Path) -> None:
    """Also the first ones, which arq logs before it calls the worker's start-up."""
    words = [sys.executable, "-m", "arq", "quickthumb.worker.Settings", "--check"]
    environment = clean_environment(data_dir=tmp_path, redis_url=f"unix://{tmp_path}/none")
    process = await asyncio.create_subprocess_exec(
        *words, env=environment, stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    try:
        first = await asyncio.wait_for(process.stderr.readline(), 30)  # type: ignore[union-attr]
        assert json.loads(first)["logger"]
    finally:
        process.kill()
        await process.wait()

import base64
import hashlib
import json
import re
from pathlib import Path
from secrets import token_hex
from typing import Any

import httpx
import pytest

from quickthumb.storage.arrivals import MOST_HELD_EACH_BYTES
from tests.conftest import picture
from tests.imaging.costly_files import bmp_runs, gif_cut_into, jpeg_scans, png_cut_into, tiff_pieces
from tests.waiting import wait_until
from tests.web.conftest import MAX_UPLOAD_BYTES, Refusal, refusal, upload
from tests.web.sockets import connection
from tests.web_process import WebProcess

PICTURE = picture()
PDF = b"%PDF-1.7\n" + bytes(5000)


def form(*parts: tuple[str, bytes]) -> dict[str, Any]:
    """A form whose parts come in this order; a part named image or file is a file."""
    body = b""
    for name, value in parts:
        filename = '; filename="cat.jpg"' if name in ("image", "file") else ""
        body += f'--edge\r\nContent-Disposition: form-data; name="{name}"{filename}\r\n\r\n'.encode() + value + b"\r\n"
    return {"content": body + b"--edge--\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=edge"}}


def raw(data: bytes, content_type: str = "image/jpeg") -> dict[str, Any]:
    return {"content": data, "headers": {"Content-Type": content_type}}


async def sizes(client: httpx.AsyncClient, answer: httpx.Response) -> dict[str, tuple[int, int]]:
    """The sizes of the job's results by name, once the job is DONE."""
    assert answer.status_code == 202, answer.text
    job = (await client.get(answer.headers["location"], params={"wait": 30})).json()
    assert job["status"] == "DONE", job
    return {name: (result["width"], result["height"]) for name, result in job["results"].items()}


async def test_the_answer_is_the_job(waiting: httpx.AsyncClient) -> None:
    answer = await waiting.post("/images/", files={"image": ("cat.jpg", PICTURE)})
    assert answer.status_code == 202
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    job = answer.json()
    assert re.fullmatch(r"[0-9a-f]{32}", job["id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", job.pop("created_at"))
    address = f"/jobs/{job['id']}"
    assert answer.headers["location"] == address
    assert job == {
        "id": job["id"],
        "tenant": "default",
        "status": "WAITING",
        "started_at": None,
        "finished_at": None,
        "attempts": 0,
        "history": [],
        "source": {
            "filename": "cat.jpg",
            "format": "jpeg",
            "width": 400,
            "height": 300,
            "bytes": len(PICTURE),
            "sha256": hashlib.sha256(PICTURE).hexdigest(),
        },
        "results": {},
        "error": None,
        "expires_at": None,
        "priority": "normal",
        "run_at": None,
        "tags": [],
        "context": None,
        "deduplicated": False,
        "derived_from": None,
        "links": {"self": address, "original": f"{address}/original", "events": f"{address}/events"},
        "message": "Image is being resized in the background",
    }


HELD = pytest.mark.parametrize(
    "held", [{"params": {"wait": "30"}}, {"headers": {"Prefer": "wait=30"}}], ids=["wait", "Prefer"]
)


@HELD
async def test_whoever_waits_gets_the_finished_job(client: httpx.AsyncClient, held: dict[str, Any]) -> None:
    answer = await client.post("/images/", files={"image": ("cat.jpg", PICTURE)}, **held)
    assert (answer.status_code, answer.json()["status"]) == (200, "DONE")
    assert answer.headers["location"] == answer.json()["links"]["self"]
    assert answer.headers.get("preference-applied") == ("wait=30" if "headers" in held else None)
    assert answer.json() == (await client.get(answer.headers["location"])).json()


@HELD
async def test_whoever_waits_in_vain_gets_the_accepted_job(waiting: httpx.AsyncClient, held: dict[str, Any]) -> None:
    answer = await waiting.post("/images/", files={"image": ("cat.jpg", PICTURE)}, **held)
    assert (answer.status_code, answer.json()["status"]) == (202, "WAITING")
    assert answer.headers.get("preference-applied") == ("wait=2" if "headers" in held else None)
    assert answer.json()["message"]


async def test_a_wait_that_is_no_number_is_refused(waiting: httpx.AsyncClient) -> None:
    answer = await waiting.post("/images/", params={"wait": "soon"}, files={"image": PICTURE})
    assert refusal(answer) == Refusal(422, "invalid_parameter", "wait")


UPLOADERS = {
    "Uppy": ("file", {"relativePath": "null", "name": "cat.jpg", "type": "image/jpeg"}),
    "Dropzone": ("file", {"dzuuid": "1b2", "dzchunkindex": "0", "dztotalchunkcount": "1"}),
    "Plupload": ("file", {"name": "cat.jpg", "chunk": "0", "chunks": "1"}),
    "FilePond": ("filepond", {"filepond": "{}"}),
    "Rails": ("image", {"utf8": "✓", "authenticity_token": "x", "commit": "Upload"}),
}


@pytest.mark.parametrize("uploader", UPLOADERS)
async def test_forms_of_well_known_uploaders_are_accepted(client: httpx.AsyncClient, uploader: str) -> None:
    part, fields = UPLOADERS[uploader]
    data = {**fields, "preset": "gray-blur"}
    answer = await client.post("/images/", data=data, files={part: ("cat.jpg", PICTURE)})
    assert await sizes(client, answer) == {"gray-blur": (400, 300)}


@pytest.mark.parametrize("path", ["/images/", "/images"])
@pytest.mark.parametrize("part", ["image", "file"])
async def test_a_form_s_file_is_taken_at_once(waiting: httpx.AsyncClient, path: str, part: str) -> None:
    assert (await waiting.post(path, files={part: ("cat.jpg", PICTURE)})).status_code == 202


@pytest.mark.parametrize("order", [1, -1])
async def test_a_form_s_fields_count_before_and_after_the_file(client: httpx.AsyncClient, order: int) -> None:
    parts = [("width", b"60"), ("image", PICTURE)][::order]
    assert await sizes(client, await client.post("/images/", **form(*parts))) == {"thumbnail": (60, 45)}


async def test_a_bare_image_takes_its_parameters_from_the_query(client: httpx.AsyncClient) -> None:
    answer = await client.post("/images/", params={"size": "40x40", "name": "tiny"}, **raw(PICTURE))
    assert await sizes(client, answer) == {"tiny": (40, 30)}


@pytest.mark.parametrize("content_type", ["image/jpeg", "image/*", "application/octet-stream", "IMAGE/PNG; x=y"])
async def test_a_bare_image_s_declared_format_is_not_believed(waiting: httpx.AsyncClient, content_type: str) -> None:
    answer = await waiting.post("/images/", **raw(PICTURE, content_type))
    assert answer.json()["source"]["format"] == "jpeg"


async def test_json_holds_the_image_in_base64(client: httpx.AsyncClient) -> None:
    body = {"width": 80, "data": base64.b64encode(PICTURE).decode(), "filename": "päper/cat.jpg"}
    answer = await client.post("/images/", json=body)
    assert answer.json()["source"]["filename"] == "cat.jpg"
    assert answer.json()["source"]["sha256"] == hashlib.sha256(PICTURE).hexdigest()
    assert await sizes(client, answer) == {"thumbnail": (80, 60)}


async def test_without_parameters_it_is_the_thumbnail(client: httpx.AsyncClient) -> None:
    assert await sizes(client, await client.post("/images/", **raw(PICTURE))) == {"thumbnail": (128, 96)}


async def test_fields_that_were_left_empty_count_as_not_given(client: httpx.AsyncClient) -> None:
    answer = await client.post("/images/", **form(("width", b""), ("image", PICTURE), ("outputs", b"")))
    assert await sizes(client, answer) == {"thumbnail": (128, 96)}


async def test_several_outputs_come_as_a_list(client: httpx.AsyncClient) -> None:
    outputs = [{"name": "small", "size": "64x64"}, {"width": 200}]
    listed = json.dumps(outputs).encode()
    expected = {"small": (64, 48), "output-2": (200, 150)}
    assert (
        await sizes(client, await client.post("/images/", **form(("image", PICTURE), ("outputs", listed)))) == expected
    )
    body = {"data": base64.b64encode(PICTURE).decode(), "outputs": outputs}
    assert await sizes(client, await client.post("/images/", json=body)) == expected


MALFORMED = Refusal(400, "malformed_request")
UNSUPPORTED = Refusal(415, "unsupported_image")
BROKEN_FORM = b'--edge\r\nContent-Disposition: form-data; name="image"\r\n\r\n'


def broken_form(body: bytes) -> dict[str, Any]:
    return raw(body, "multipart/form-data; boundary=edge")


def in_json(text: str) -> dict[str, Any]:
    return raw(text.encode(), "application/json")


def invalid(field: str | None) -> Refusal:
    return Refusal(422, "invalid_parameter", field)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        pytest.param(form(("image", PDF)), UNSUPPORTED, id="a PDF in a form"),
        pytest.param(raw(PDF), UNSUPPORTED, id="a bare PDF"),
        pytest.param(in_json(f'{{"data": "{base64.b64encode(PDF).decode()}"}}'), UNSUPPORTED, id="a PDF in JSON"),
        pytest.param(raw(PICTURE[:20]), Refusal(422, "broken_image"), id="a beginning"),
        pytest.param(raw(b""), Refusal(422, "broken_image", "image"), id="nothing"),
        pytest.param(raw(PICTURE, "text/plain"), Refusal(415, "unsupported_media_type"), id="another type"),
        pytest.param({"content": PICTURE}, Refusal(415, "unsupported_media_type"), id="no type"),
        pytest.param(form(("width", b"60")), Refusal(400, "malformed_request", "image"), id="no file"),
        pytest.param(
            form(("image", PICTURE), ("file", PICTURE)), Refusal(400, "malformed_request", "image"), id="two files"
        ),
        pytest.param(broken_form(BROKEN_FORM + PICTURE), MALFORMED, id="a form without its end"),
        pytest.param(broken_form(b"no form at all"), MALFORMED, id="no form"),
        pytest.param(raw(PICTURE, "multipart/form-data"), MALFORMED, id="no boundary"),
        pytest.param(in_json('{"data": '), MALFORMED, id="half of a JSON object"),
        pytest.param(in_json("[]"), MALFORMED, id="a JSON list"),
        pytest.param(in_json('{"data": "@@@@"}'), Refusal(400, "malformed_request", "data"), id="no base64"),
        pytest.param(in_json('{"data": 5}'), Refusal(400, "malformed_request", "data"), id="a number as image"),
        pytest.param(form(("image", PICTURE), ("colour", b"red")), invalid("colour"), id="an unknown parameter"),
        pytest.param(form(("width", b"9"), ("image", PICTURE), ("width", b"9")), invalid("width"), id="given twice"),
        pytest.param(form(("width", b"-1"), ("image", PICTURE)), invalid("width"), id="out of bounds"),
        pytest.param(form(("name", b"../x"), ("width", b"9"), ("image", PICTURE)), invalid("name"), id="a path"),
        pytest.param(form(("outputs", b"{"), ("image", PICTURE)), invalid("outputs"), id="outputs: no JSON"),
        pytest.param(form(("outputs", b"[]"), ("image", PICTURE)), invalid("outputs"), id="outputs: empty"),
        pytest.param(
            form(("outputs", b'[{"width": 9}, {"width": "x"}]'), ("image", PICTURE)),
            invalid("outputs.1.width"),
            id="outputs: a bad one",
        ),
        pytest.param(
            form(("outputs", b'[{"width": 9}]'), ("width", b"9"), ("image", PICTURE)),
            invalid("width"),
            id="outputs and a parameter",
        ),
    ],
)
async def test_what_is_not_acceptable_is_refused(
    waiting: httpx.AsyncClient, alone: WebProcess, request_: dict[str, Any], expected: Refusal
) -> None:
    kept = len(alone.kept())
    assert refusal(await waiting.post("/images/", **request_)) == expected
    assert len(alone.kept()) == kept


async def test_an_unknown_parameter_in_the_query_is_refused(waiting: httpx.AsyncClient) -> None:
    answer = await waiting.post("/images/?colour=red", **raw(PICTURE))
    assert refusal(answer) == invalid("colour")


async def test_a_bomb_is_refused_while_most_of_it_has_not_been_sent(alone: WebProcess, corpus: Path) -> None:
    beginning = (corpus / "broken" / "65536x65536.png").read_bytes()[:4096]
    async with connection(alone.address) as sending:
        await sending.head("POST /images/", Content_Type="image/png", Content_Length=521_990)
        await sending.send(beginning)
        answer = await sending.answer()
        assert refusal(answer) == Refusal(422, "too_many_pixels")
        assert answer.headers["connection"] == "close"
        assert await sending.is_closed()
    assert not list((alone.data / "uploads" / ".arriving").iterdir())


async def test_a_jpeg_of_thousands_of_scans_is_refused_while_it_arrives(alone: WebProcess) -> None:
    """It is 390 kB long, and decoding it would take minutes."""
    data = jpeg_scans(15_000, 2000, 1500)
    kept = len(alone.kept())
    async with connection(alone.address) as sending:
        await sending.head("POST /images/", Content_Type="image/jpeg", Content_Length=len(data))
        await sending.send(data[: len(data) // 4])
        answer = await sending.answer()
        assert refusal(answer) == Refusal(422, "too_many_parts")
        assert "at most 100 are accepted" in answer.json()["detail"]
        assert await sending.is_closed()
    assert len(alone.kept()) == kept


COSTLY = {
    "png": lambda: png_cut_into(11_000),
    "gif": lambda: gif_cut_into(40_000),
    "tiff": lambda: tiff_pieces(20_000, tiled=False),
    "bmp": lambda: bmp_runs(900, 900, b"\x01\0" * 900 * 900),
}


@pytest.mark.parametrize("kind", COSTLY)
@pytest.mark.parametrize("way", ["raw", "form"])
async def test_a_picture_in_too_many_pieces_is_refused(
    waiting: httpx.AsyncClient, alone: WebProcess, kind: str, way: str
) -> None:
    kept = len(alone.kept())
    data = COSTLY[kind]()
    request = raw(data, f"image/{kind}") if way == "raw" else form(("image", data))
    assert refusal(await waiting.post("/images/", **request)) == Refusal(422, "too_many_parts")
    assert len(alone.kept()) == kept


@pytest.mark.parametrize("headers", [{}, {"Expect": "100-continue"}], ids=["plain", "100-continue"])
async def test_too_long_a_body_is_refused_before_any_of_it_is_sent(
    alone: WebProcess, headers: dict[str, object]
) -> None:
    async with connection(alone.address) as sending:
        length = MAX_UPLOAD_BYTES + 1
        await sending.head("POST /images/", Content_Type="image/png", Content_Length=length, **headers)
        answer = await sending.answer()  # the first answer is the last: no 100 Continue before it
        assert refusal(answer) == Refusal(413, "too_many_bytes")
        assert await sending.is_closed()


async def test_a_client_that_expects_it_is_told_to_go_on(alone: WebProcess) -> None:
    async with connection(alone.address) as sending:
        head = {"Content_Type": "image/jpeg", "Content_Length": len(PICTURE), "Expect": "100-continue"}
        await sending.head("POST /images/", **head)
        assert (await sending.answer()).status_code == 100
        await sending.send(PICTURE)
        assert (await sending.answer()).status_code == 202


async def test_a_body_without_end_is_refused_at_the_limit(alone: WebProcess) -> None:
    kept = len(alone.kept())
    async with connection(alone.address) as sending:
        await sending.head("POST /images/", Content_Type="image/jpeg", Transfer_Encoding="chunked")
        await sending.chunk(PICTURE)
        for _ in range(MAX_UPLOAD_BYTES // 65536 + 1):
            await sending.chunk(bytes(65536))
        answer = await sending.answer()
        assert refusal(answer) == Refusal(413, "too_many_bytes")
        assert answer.headers["connection"] == "close"
    assert len(alone.kept()) == kept


@pytest.mark.parametrize("length", [1000, 6 * 1024 * 1024], ids=["before anything is written", "after"])
async def test_a_client_that_goes_away_leaves_nothing_behind(alone: WebProcess, length: int) -> None:
    kept = len(alone.kept())
    arriving = alone.data / "uploads" / ".arriving"
    async with connection(alone.address) as sending:
        await sending.head("POST /images/", Content_Type="image/jpeg", Content_Length=MAX_UPLOAD_BYTES)
        await sending.send((PICTURE + bytes(length))[:length])
        if length > MOST_HELD_EACH_BYTES:
            await wait_until(lambda: any(arriving.iterdir()))
        sending.break_off()
    told = "POST /images/: the client disconnected"
    await wait_until(lambda: told in alone.log.read_text() and not any(arriving.iterdir()))
    assert len(alone.kept()) == kept
    assert "Traceback" not in alone.log.read_text()


async def test_a_connection_is_good_for_another_request(alone: WebProcess) -> None:
    async with connection(alone.address) as sending:
        for _ in range(2):
            await sending.head("POST /images/", Content_Type="image/jpeg", Content_Length=len(PICTURE))
            answer = await (await sending.send(PICTURE)).answer()
            assert answer.status_code == 202
            assert "connection" not in answer.headers
        await sending.head("GET /healthz")
        assert (await sending.answer()).status_code == 200


async def test_a_name_from_the_client_is_only_shown(waiting: httpx.AsyncClient, alone: WebProcess) -> None:
    job = await upload(waiting, name="../../..\\evil.jpg")
    assert job["source"]["filename"] == "evil.jpg"
    assert not list(alone.data.rglob("*evil*"))


async def test_a_request_sent_again_under_its_key_answers_with_the_first_job(client: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": token_hex()}
    image = {"image": ("cat.jpg", picture())}
    first, again = [await client.post("/images/", files=image, headers=headers) for _ in range(2)]
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    other = await client.post("/images/", files=image, data={"width": "64"}, headers=headers)
    assert refusal(other) == Refusal(422, "idempotency_key_reused")
    too_long = await client.post("/images/", files=image, headers={"Idempotency-Key": "x" * 256})
    assert refusal(too_long) == Refusal(400, "malformed_request", "Idempotency-Key")


@pytest.mark.parametrize(
    ("quoted", "bare"), [('"{key}"', "{key}"), ('"{key} \\"x\\" \\\\"', '{key} "x" \\'), ('"{key}', '"{key}')]
)
async def test_a_key_in_quotation_marks_is_the_same_key(client: httpx.AsyncClient, quoted: str, bare: str) -> None:
    key, image = token_hex(), {"image": ("cat.jpg", picture())}
    answers = [
        await client.post("/images/", files=image, headers={"Idempotency-Key": spelling.format(key=key)})
        for spelling in (quoted, bare, quoted)
    ]
    assert len({answer.json()["id"] for answer in answers}) == 1
    for empty in ("", '""'):
        answer = await client.post("/images/", files=image, headers={"Idempotency-Key": empty})
        assert refusal(answer) == Refusal(400, "malformed_request", "Idempotency-Key")


@pytest.mark.parametrize(
    ("query", "disposition", "name"),
    [
        ({"filename": "cat.jpg"}, None, "cat.jpg"),
        ({"filename": "C:\\pictures\\naïve 猫.jpg"}, None, "naïve 猫.jpg"),
        ({}, b'attachment; filename="cat.jpg"', "cat.jpg"),
        ({}, b"attachment; filename=x.jpg; filename*=UTF-8''na%C3%AFve.jpg", "naïve.jpg"),
        ({}, 'inline; filename="naïve 猫.jpg"'.encode(), "naïve 猫.jpg"),
        ({}, 'inline; filename="naïve.jpg"'.encode("latin-1"), "naïve.jpg"),
        ({"filename": "cat.jpg"}, b'attachment; filename="dog.jpg"', "cat.jpg"),
        ({"filename": ".."}, b"attachment", None),
    ],
)
async def test_a_bare_image_brings_its_name(
    waiting: httpx.AsyncClient, query: dict[str, str], disposition: bytes | None, name: str | None
) -> None:
    headers = {b"Content-Type": b"image/jpeg", **({} if disposition is None else {b"Content-Disposition": disposition})}
    answer = await waiting.post("/images/", content=picture(), params=query, headers=httpx.Headers(headers))
    assert answer.status_code == 202, answer.text
    assert answer.json()["source"]["filename"] == name


async def test_the_name_in_the_body_counts_before_any_other(waiting: httpx.AsyncClient) -> None:
    answer = await waiting.post("/images/", files={"image": ("cat.jpg", picture())}, params={"filename": "dog.jpg"})
    assert answer.json()["source"]["filename"] == "cat.jpg"
    twice = await waiting.post("/images/?filename=a&filename=b", **raw(picture()))
    assert refusal(twice) == Refusal(422, "invalid_parameter", "filename")


@pytest.mark.parametrize("name", ["Content-Type", "Content-Encoding", "Content-Disposition", "Idempotency-Key"])
async def test_what_is_said_twice_is_refused(waiting: httpx.AsyncClient, name: str) -> None:
    headers = [("Content-Type", "image/jpeg"), (name, "image/jpeg"), (name, "image/png")]
    answer = await waiting.post("/images/", content=PICTURE, headers=headers)
    assert refusal(answer) == Refusal(400, "malformed_request", name)


async def test_an_encoded_body_is_refused(waiting: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "image/jpeg", "Content-Encoding": "gzip"}
    answer = await waiting.post("/images/", content=PICTURE, headers=headers)
    assert refusal(answer) == Refusal(415, "unsupported_media_type", "Content-Encoding")

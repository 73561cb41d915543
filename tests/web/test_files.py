import base64
import hashlib
import re
from email.utils import parsedate_to_datetime
from io import BytesIO
from typing import Any

import httpx
import pytest
from PIL import Image

from quickthumb.http.files import content_disposition
from tests.conftest import picture
from tests.web.conftest import Refusal, done, refusal, upload

IMMUTABLE = "public, max-age=31536000, immutable"


@pytest.fixture
async def job(client: httpx.AsyncClient) -> dict[str, Any]:
    return await done(client)


@pytest.fixture
def address(job: dict[str, Any]) -> str:
    url: str = job["results"]["thumbnail"]["url"]
    return url


async def test_a_result_is_the_picture(client: httpx.AsyncClient, address: str) -> None:
    answer = await client.get(address)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == IMMUTABLE
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["content-disposition"].startswith('inline; filename="cat-thumbnail.jpg"')
    with Image.open(BytesIO(answer.content)) as image:
        assert (image.format, image.size) == ("JPEG", (128, 96))


@pytest.mark.parametrize(
    ("kind", "media_type", "extension"),
    [("PNG", "image/png", "png"), ("WEBP", "image/webp", "webp"), ("GIF", "image/gif", "gif")],
)
async def test_a_result_has_the_type_of_its_bytes(
    client: httpx.AsyncClient, kind: str, media_type: str, extension: str
) -> None:
    job = await done(client, "page.html", picture(kind=kind))
    for url in (job["results"]["thumbnail"]["url"], job["links"]["original"]):
        answer = await client.get(url)
        assert answer.headers["content-type"] == media_type
        assert f'.{extension}"' in answer.headers["content-disposition"]
        with Image.open(BytesIO(answer.content)) as image:
            assert image.format == kind


async def test_other_sites_may_show_a_result_and_no_original(client: httpx.AsyncClient, job: dict[str, Any]) -> None:
    """Also by an answer that makes the browser keep its copy, with the headers of that answer."""
    for url, policy in (
        (job["results"]["thumbnail"]["url"], "cross-origin"),
        (job["links"]["original"], "same-origin"),
    ):
        for headers in ({}, {"If-None-Match": "*"}, {"Range": "bytes=0-1"}):
            answer = await client.get(url, headers=headers)
            assert answer.headers.get_list("cross-origin-resource-policy") == [policy], answer
    for path in (job["links"]["self"], "/jobs", "/docs", "/nowhere"):
        assert (await client.get(path)).headers["cross-origin-resource-policy"] == "same-origin"


async def test_head_tells_the_same_without_the_bytes(client: httpx.AsyncClient, address: str) -> None:
    whole, head = await client.get(address), await client.head(address)
    assert head.content == b""
    own = {"date": "", "x-request-id": ""}
    assert {**head.headers, **own} == {**whole.headers, **own}


async def test_the_original_is_a_download_of_the_same_bytes(client: httpx.AsyncClient) -> None:
    data = picture(500, 400)
    job = await done(client, data=data)
    answer = await client.get(job["links"]["original"])
    assert answer.content == data
    assert hashlib.sha256(answer.content).hexdigest() == job["source"]["sha256"]
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-disposition"] == "attachment; filename=\"cat.jpg\"; filename*=UTF-8''cat.jpg"


async def test_a_client_that_has_it_already_is_told_so_by_its_tag(client: httpx.AsyncClient, address: str) -> None:
    tag = (await client.get(address)).headers["etag"]
    assert re.fullmatch(r'"[0-9a-f-]+"', tag)
    for known in (tag, f'"other", W/{tag}', "*"):
        answer = await client.get(address, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")
        assert answer.headers["etag"] == tag
        assert answer.headers["cache-control"] == IMMUTABLE
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert (await client.get(address, headers={"If-None-Match": '"other"'})).status_code == 200


async def test_a_client_that_has_it_already_is_told_so_by_its_date(client: httpx.AsyncClient, address: str) -> None:
    date = (await client.get(address)).headers["last-modified"]
    assert parsedate_to_datetime(date).tzinfo is not None
    assert (await client.get(address, headers={"If-Modified-Since": date})).status_code == 304
    for other in ("Thu, 01 Jan 1998 00:00:00 GMT", "yesterday", ""):
        assert (await client.get(address, headers={"If-Modified-Since": other})).status_code == 200
    both = {"If-Modified-Since": date, "If-None-Match": '"other"'}
    assert (await client.get(address, headers=both)).status_code == 200


@pytest.mark.parametrize("wanted", ["bytes=0-9", "bytes=10-", "bytes=-10", "BYTES=5-5", "bytes=0-99999999"])
async def test_a_range_is_a_part_of_the_file(client: httpx.AsyncClient, address: str, wanted: str) -> None:
    whole = (await client.get(address)).content
    first, last = wanted.partition("=")[2].split("-")
    begin = int(first) if first else len(whole) - int(last)
    end = min(int(last), len(whole) - 1) if first and last else len(whole) - 1
    answer = await client.get(address, headers={"Range": wanted})
    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"bytes {begin}-{end}/{len(whole)}"
    assert answer.content == whole[begin : end + 1]


@pytest.mark.parametrize("wanted", ["bytes=0-9", "bytes=9999999-", "bytes=0-3, 10-13"])
async def test_a_range_on_head_is_ignored(client: httpx.AsyncClient, address: str, wanted: str) -> None:
    answer = await client.head(address, headers={"Range": wanted})
    assert answer.status_code == 200
    own = {"date": "", "x-request-id": ""}
    assert {**answer.headers, **own} == {**(await client.head(address)).headers, **own}


async def test_several_ranges_come_in_parts(client: httpx.AsyncClient, address: str) -> None:
    whole = (await client.get(address)).content
    answer = await client.get(address, headers={"Range": "bytes=0-3, 10-13"})
    assert answer.status_code == 206
    assert answer.headers["content-type"].startswith("multipart/byteranges; boundary=")
    assert len(answer.content) == int(answer.headers["content-length"])
    assert whole[:4] in answer.content
    assert whole[10:14] in answer.content


async def test_of_several_ranges_those_that_are_there_are_sent(client: httpx.AsyncClient, address: str) -> None:
    whole = (await client.get(address)).content
    answer = await client.get(address, headers={"Range": "bytes=9999999-, 0-3"})
    assert (answer.status_code, answer.content) == (206, whole[:4])
    assert answer.headers["content-range"] == f"bytes 0-3/{len(whole)}"


@pytest.mark.parametrize("wanted", ["bytes=9999999-", "bytes=9999999-99999999"])
async def test_a_range_behind_the_end_is_a_problem(client: httpx.AsyncClient, address: str, wanted: str) -> None:
    answer = await client.get(address, headers={"Range": wanted})
    assert refusal(answer) == Refusal(416, "range_not_satisfiable")
    size = len((await client.get(address)).content)
    assert answer.headers["content-range"] == f"bytes */{size}"


@pytest.mark.parametrize(
    "wanted",
    ["bytes=9-1", "bytes=a-b", "bytes=-", "bytes=", "pages=1-2", "bytes=0-1-2", "bytes=0-" + "9" * 5000, "0-9"],
)
async def test_a_malformed_range_is_ignored(client: httpx.AsyncClient, address: str, wanted: str) -> None:
    whole = await client.get(address)
    answer = await client.get(address, headers={"Range": wanted})
    assert (answer.status_code, answer.content) == (200, whole.content)


async def test_a_range_counts_only_while_the_file_is_the_same(client: httpx.AsyncClient, address: str) -> None:
    whole = await client.get(address)
    for same in (whole.headers["etag"], whole.headers["last-modified"]):
        answer = await client.get(address, headers={"Range": "bytes=0-3", "If-Range": same})
        assert (answer.status_code, answer.content) == (206, whole.content[:4])
    answer = await client.get(address, headers={"Range": "bytes=0-3", "If-Range": '"other"'})
    assert (answer.status_code, answer.content) == (200, whole.content)


@pytest.mark.parametrize(
    ("given", "plain", "full"),
    [
        ("naïve 猫.png", "na_ve _.jpg", "naïve 猫.jpg"),
        ('a"b\\c.jpg', "c.jpg", "c.jpg"),
        ('say "hi"; x=y.jpg', "say _hi__ x_y.jpg", 'say "hi"; x=y.jpg'),
        ("a\r\nSet-Cookie: x=1.jpg", "aSet-Cookie_ x_1.jpg", "aSet-Cookie: x=1.jpg"),
        ("../../etc/passwd", "passwd.jpg", "passwd.jpg"),
        ("..", "image.jpg", "image.jpg"),
        ("evil.svg", "evil.jpg", "evil.jpg"),
        ("%0d%0ax.jpg", "_0d_0ax.jpg", "%0d%0ax.jpg"),
    ],
)
async def test_a_download_s_name_is_harmless(client: httpx.AsyncClient, given: str, plain: str, full: str) -> None:
    body = {"data": base64.b64encode(picture()).decode(), "filename": given}
    job = (await client.post("/images/", json=body)).json()
    answer = await client.get(job["links"]["original"])
    expected = httpx.URL("http://x/", params={"n": full}).query.decode().removeprefix("n=").replace("+", "%20")
    assert answer.headers["content-disposition"] == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{expected}"
    assert "set-cookie" not in answer.headers


def test_a_name_in_any_script_is_encoded() -> None:
    assert content_disposition("inline", "ä\n.jpg") == "inline; filename=\"__.jpg\"; filename*=UTF-8''%C3%A4%0A.jpg"


async def test_a_result_that_is_not_ready_says_so(waiting: httpx.AsyncClient) -> None:
    job = await upload(waiting)
    answer = await waiting.get(f"{job['links']['self']}/results/thumbnail")
    assert refusal(answer) == Refusal(409, "not_ready")
    assert answer.headers["retry-after"] == "1"
    assert (await waiting.get(job["links"]["original"])).status_code == 200


@pytest.mark.parametrize(
    "name", ["large", "thumbnail.jpg", "outcome.json", "..%2f..%2foutcome.json", "..%5coutcome.json", "%00"]
)
async def test_any_other_name_is_no_result(client: httpx.AsyncClient, job: dict[str, Any], name: str) -> None:
    answer = await client.get(f"{job['links']['self']}/results/{name}")
    assert refusal(answer).status == 404

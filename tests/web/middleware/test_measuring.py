import httpx

from tests.conftest import picture
from tests.waiting import wait_until
from tests.web.conftest import MAX_UPLOAD_BYTES, upload
from tests.web.sockets import connection
from tests.web.test_health import number, samples
from tests.web_process import WebProcess

REQUESTS = "quickthumb_http_requests_total"


async def routes(client: httpx.AsyncClient) -> set[str]:
    return {dict(labels)["route"] for name, labels in await samples(client) if name == REQUESTS}


async def test_ids_names_and_unknown_paths_make_no_new_series(waiting: httpx.AsyncClient) -> None:
    job = await upload(waiting)
    for path in (job["links"]["self"], "/jobs/x", "/jobs/y/results/z", "/nowhere", "/.env", "/docs/assets/docs.js"):
        await waiting.get(path)
    expected = {"/jobs/{job_id}", "/jobs/{job_id}/results/{name}", "/docs/assets", "unknown"}

    async def are_counted() -> bool:  # a file's answer is counted once the file is closed, after its last byte
        return expected <= await routes(waiting)

    await wait_until(are_counted)
    seen = await routes(waiting)
    assert not {route for route in seen if job["id"] in route or "nowhere" in route or ".js" in route}


async def test_an_address_is_one_series_with_and_without_its_last_slash(waiting: httpx.AsyncClient) -> None:
    labels = {"method": "POST", "route": "/images/", "status": "202"}
    before = await number(waiting, REQUESTS, **labels)
    for path in ("/images", "/images/"):
        assert (await waiting.post(path, files={"image": ("cat.jpg", picture())})).status_code == 202
    assert await number(waiting, REQUESTS, **labels) == before + 2
    assert "/images" not in await routes(waiting)


async def test_methods_that_nobody_knows_are_one_series(waiting: httpx.AsyncClient) -> None:
    assert (await waiting.request("PROPFIND", "/jobs")).status_code == 405
    assert await number(waiting, REQUESTS, method="other", route="/jobs", status="405") >= 1


async def test_a_client_that_went_away_is_counted_as_such(alone: WebProcess, waiting: httpx.AsyncClient) -> None:
    labels = {"method": "POST", "route": "/images/", "status": "499"}
    before = await number(waiting, REQUESTS, **labels)
    async with connection(alone.address) as sending:
        await sending.head("POST /images/", Content_Type="image/jpeg", Content_Length=MAX_UPLOAD_BYTES)
        await sending.send(picture())
        sending.break_off()

    async def is_counted() -> bool:
        return await number(waiting, REQUESTS, **labels) == before + 1

    await wait_until(is_counted)

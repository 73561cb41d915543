import base64

import httpx

from tests.conftest import picture
from tests.web.conftest import Refusal, refusal


async def test_presets_are_listed(client: httpx.AsyncClient) -> None:
    presets = (await client.get("/presets")).json()["presets"]
    assert presets["thumbnail"] == [{"name": "thumbnail", "width": 128, "height": 128}]
    assert {"square-32-64", "gray-blur"} <= presets.keys()


async def test_several_are_made_of_one_upload(client: httpx.AsyncClient) -> None:
    files = {"image": ("cat.jpg", picture())}
    query = {"preset": ["thumbnail", "gray-blur"]}
    data = base64.b64encode(picture()).decode()
    for answer in (
        await client.post("/images/", files=files, params=query),
        await client.post("/images/", files=files, data={"preset": ["thumbnail", "gray-blur"]}),
        await client.post("/images/", json={"data": data, "preset": ["thumbnail", "gray-blur"]}),
    ):
        job = (await client.get(answer.headers["location"], params={"wait": 30})).json()
        assert {name: result["width"] for name, result in job["results"].items()} == {
            "thumbnail": 128,
            "gray-blur": 400,
        }


async def test_an_unknown_one_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/images/", files={"image": picture()}, params={"preset": "thumbnial"})
    assert refusal(answer) == Refusal(422, "invalid_parameter", "preset")
    assert "thumbnail" in answer.json()["detail"]

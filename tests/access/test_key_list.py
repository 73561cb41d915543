"""`GET /keys`: which keys there are, and how much of their quotas is used."""

from pathlib import Path

from quickthumb.model.allowance import Quotas
from quickthumb.model.caller import Scope
from quickthumb.service.keys import KeyStore
from quickthumb.storage import FileStorage
from tests.access.guarded import bearer
from tests.conftest import http_client, picture
from tests.redis_server import RedisServer
from tests.web_process import running_web


async def test_the_operator_sees_all_keys_and_others_their_own(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    storage = FileStorage(tmp_path / "data")
    await storage.identity()
    store = KeyStore(storage)
    operator, _ = await store.create("default", [Scope.ADMIN], note="me")
    quotas = Quotas(uploads_per_hour=5, stored_bytes=1_000_000, requests_per_minute=600)
    shop, key = await store.create("shop", [Scope.ADMIN], note="web shop", quotas=quotas)
    image = picture()
    async with (
        RedisServer(tmp_path) as redis,
        running_web(tmp_path, redis.url) as web,
        http_client(web.address) as client,
    ):
        await client.post("/images/", files={"image": ("cat.jpg", image)}, headers=bearer(shop))
        answer = await client.get("/keys", headers=bearer(operator))
        assert {one["name"] for one in answer.json()["keys"]} == {"me", "web shop"}
        own = (await client.get("/keys", headers=bearer(shop))).json()["keys"]
    (shown,) = own
    assert shown["id"] == key.id
    assert shown["scopes"] == ["admin"]
    assert {one["quota"]: one["used"] for one in shown["quotas"]} == {
        "uploads_per_hour": 1,
        "stored_bytes": len(image),
        "requests_per_minute": None,
    }
    assert key.digest not in answer.text
    assert shop not in answer.text

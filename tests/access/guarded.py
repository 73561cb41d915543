"""A service with keys, a worker and what its requests ask for: what `test_matrix.py` sends everything to."""

import base64
import contextlib
import hashlib
import hmac
import json
import signal
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
import psutil

from quickthumb.model.api_key import id_in
from quickthumb.model.caller import Scope
from quickthumb.model.job import now
from quickthumb.service.keys import KeyStore
from quickthumb.storage import FileStorage
from quickthumb.storage.layout import session_secret
from tests.conftest import CHECKOUT, clean_environment, http_client, picture
from tests.redis_server import RedisServer
from tests.web_process import WebProcess, running_web

SECRET = "what-signs-in-the-matrix-of-callers"
SQUARE = picture(200, 200)
BROKEN_AT = 200
ENOUGH_SECONDS = 3600
# Every result that any of the APIs asks for.
PRESETS = {"preset": ["thumbnail", "gray-blur", "square-32-64"]}


@dataclass(frozen=True)
class Guarded:
    """A web process with keys: one for each scope, for two tenants, and some that are not valid. It has a worker, which
    has made the job `done` and that of the `batch`, and the email `mailed`."""

    web: WebProcess
    worker: psutil.Popen
    store: KeyStore
    of_scope: Mapping[Scope, str]
    other: str
    expired: str
    revoked: str
    done: str
    mailed: str
    batch: str

    async def new_job(self, client: httpx.AsyncClient) -> str:
        return await upload(client, self.of_scope[Scope.ADMIN], picture())

    async def failed_job(self, client: httpx.AsyncClient) -> str:
        """A job that a client may retry."""
        return await upload(client, self.of_scope[Scope.ADMIN], _broken(), wait=10)

    @contextlib.contextmanager
    def idle_worker(self) -> Iterator[None]:
        """Meanwhile, jobs stay WAITING."""
        self.worker.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.worker.send_signal(signal.SIGCONT)


@contextlib.asynccontextmanager
async def guarded_service(folder: Path) -> AsyncIterator[Guarded]:
    storage = FileStorage(folder / "data")
    (folder / "data").mkdir()
    await storage.identity()
    store = KeyStore(storage)
    of_scope = {scope: (await store.create("shop", [scope]))[0] for scope in Scope}
    other, _ = await store.create("other", Scope)
    expired, _ = await store.create("shop", Scope, ends_at=now() - timedelta(seconds=1))
    revoked, key = await store.create("shop", Scope)
    await store.end(key, now())
    async with (
        RedisServer(folder) as redis,
        running_web(folder, redis.url, email_allowed="*@example.com", url_secrets=SECRET) as web,
    ):
        with running_worker(web, redis.url) as worker:
            admin = of_scope[Scope.ADMIN]
            async with http_client(web.address) as client:
                done = await upload(client, admin, SQUARE, wait=20, **PRESETS)
                batch = await upload_batch(client, admin)
                sent = await client.get("/send-email/bob@example.com", headers=bearer(admin))
            yield Guarded(web, worker, store, of_scope, other, expired, revoked, done, sent.json()["job_id"], batch)


@contextlib.contextmanager
def running_worker(web: WebProcess, redis_url: str) -> Iterator[psutil.Popen]:
    """A worker for a web process's data folder."""
    environment = clean_environment(data_dir=web.data, redis_url=redis_url) | {"PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-m", "arq", "quickthumb.worker.Settings"]
    with (web.data.parent / "worker.log").open("w") as log:
        worker = psutil.Popen(command, cwd=web.data.parent, env=environment, stdout=log, stderr=log)
        try:
            yield worker
        finally:
            worker.terminate()
            worker.wait(timeout=20)


async def upload(client: httpx.AsyncClient, key: str, image: bytes, *, wait: int = 0, **fields: Any) -> str:
    """Uploads an image, waits for the end of its job if told to, and returns the job's id."""
    files = {"image": ("cat", image)}
    answer = await client.post("/images/", params={"wait": wait}, files=files, data=fields, headers=bearer(key))
    assert answer.status_code == (HTTPStatus.OK if wait else HTTPStatus.ACCEPTED), answer.text
    job_id: str = answer.json()["id"]
    return job_id


async def upload_batch(client: httpx.AsyncClient, key: str) -> str:
    """Uploads a batch of one image, waits for its end, and returns its id."""
    answer = await client.post("/batches", files={"image": ("cat", SQUARE)}, headers=bearer(key))
    batch_id: str = answer.json()["id"]
    ended = await client.get(f"/batches/{batch_id}", params={"wait": 20}, headers=bearer(key))
    assert ended.json()["counts"] == {"DONE": 1}
    return batch_id


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def signed(method: str, path: str, query: str) -> str:
    """The query with the signature of a request, as a backend makes it."""
    digest = hmac.digest(SECRET.encode(), f"{method}\n{path}\n{query}".encode(), hashlib.sha256)
    return f"{query}&signature={_text(digest)}"


def policy(seconds: int = ENOUGH_SECONDS) -> str:
    """An upload policy for one picture, as a backend makes it."""
    allowed = {
        "tenant": "shop",
        "expires": int(time.time()) + seconds,
        "presets": ["thumbnail"],
        "id": uuid.uuid4().hex,
    }
    text = _text(json.dumps(allowed).encode())
    return f"{text}.{signed('POST', '/images/', f'policy={text}').partition('&signature=')[2]}"


def session(data: Path, key: str, *, seconds: int = ENOUGH_SECONDS) -> dict[str, str]:
    """The cookie of a session with a key, as a service with this data folder makes it."""
    secret = bytes.fromhex(json.loads((data / session_secret()).read_bytes())["secret"])
    issued = int(time.time())
    said = json.dumps({"key": id_in(key), "issued": issued, "expires": issued + seconds})
    text = f"v1.{_text(said.encode())}"
    return {"Cookie": f"quickthumb_session={text}.{_text(hmac.digest(secret, text.encode(), hashlib.sha256))}"}


def altered(text: str) -> str:
    """The text with another last character but one: that one has no bits that base64 leaves out."""
    return f"{text[:-2]}{'A' if text[-2] != 'A' else 'B'}{text[-1]}"


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _broken() -> bytes:
    """A PNG whose header is right and whose pixels are not, so that its job is accepted and fails."""
    data = bytearray(picture(200, 200, "PNG"))
    place = data.index(b"IDAT") + BROKEN_AT
    data[place : place + BROKEN_AT] = bytes(BROKEN_AT)
    return bytes(data)

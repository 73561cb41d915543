"""Records what a release leaves on disk and in Redis, for `test_upgrade.py`.

    git worktree add ../old 8b1b379
    python -m tests.upgrade.make_fixture ../old tests/upgrade/releases/0.1.0-8b1b379

The release runs from its own checkout, in its real processes, and the script talks to it over HTTP only; so the script
works for later releases too. It kills the worker in the middle of a job and starts no other one, so whatever it uploads
after that stays WAITING.

    data/       the data folder
    redis.json  every key in Redis, with its type, its value and its time to live
    told.json   every job as the release showed it, with the digests of its results; the request that used an
                idempotency key; the queued email; and the time at which the release was stopped
"""

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from redis.asyncio import Redis

from tests.chaos.fleet import free_port
from tests.conftest import clean_environment, picture
from tests.redis_server import RedisServer
from tests.waiting import wait_until

# Keys with less time to live than this expire before a new release is installed: leases, heartbeats, wake-up tokens.
SHORTEST_LIFE_SECONDS = 120
# The release's `tests/faults` makes the worker hang on a picture of this size.
HANGS = (13, 14)
IDEMPOTENCY_KEY = "an upload before the upgrade"


@dataclass
class Release:
    """The release in `checkout`, running on `folder`."""

    checkout: Path
    folder: Path
    redis_url: str
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        environment = clean_environment(data_dir=self.folder / "data", redis_url=self.redis_url)
        environment["PYTHONPATH"] = os.pathsep.join([str(self.checkout / "tests" / "faults"), str(self.checkout)])
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", *words, cwd=self.checkout, env=environment)
        self.processes.append(process)
        return process


@contextlib.asynccontextmanager
async def running(checkout: Path, folder: Path, redis_url: str) -> AsyncIterator[tuple[Release, httpx.AsyncClient]]:
    """Starts the web process of the release; gives a client for it."""
    release = Release(checkout, folder, redis_url)
    port = free_port()
    await release.start("uvicorn", "quickthumb.app:app", "--port", str(port))
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as web:
            await wait_until(lambda: _answers(web), seconds=30)
            yield release, web
    finally:
        for process in release.processes:
            if process.returncode is None:
                process.terminate()
                await process.wait()


async def _answers(web: httpx.AsyncClient) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return (await web.get("/healthz")).status_code == 200
    return False


def animation() -> bytes:
    frames = [Image.new("RGB", (60, 40), color) for color in ("red", "green", "blue")]
    file = BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=80)
    return file.getvalue()


async def form(web: httpx.AsyncClient, image: bytes, key: str | None = None, **fields: str) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await web.post("/images/", files={"image": ("cat.jpg", image)}, data=fields, headers=headers)


async def in_json(web: httpx.AsyncClient, image: bytes, outputs: list[dict[str, Any]]) -> httpx.Response:
    return await web.post("/images/", json={"data": base64.b64encode(image).decode(), "outputs": outputs})


async def raw(web: httpx.AsyncClient, image: bytes, **parameters: str) -> httpx.Response:
    return await web.post("/images/", content=image, params=parameters, headers={"Content-Type": "image/png"})


def accepted(answer: httpx.Response) -> str:
    """The id of the job."""
    assert answer.status_code in (201, 202), answer.text
    return str(answer.json()["id"])


async def until(web: httpx.AsyncClient, job_id: str, status: str) -> None:
    async def has_it() -> bool:
        return bool((await web.get(f"/jobs/{job_id}")).json()["status"] == status)

    await wait_until(has_it, seconds=30)


@dataclass(frozen=True)
class Made:
    """One job, and the names of the results that it has or will have."""

    job_id: str
    results: tuple[str, ...]


TWO = [{"name": "small", "width": 40, "format": "webp"}, {"name": "gray", "width": 60, "grayscale": True}]


async def make_jobs(release: Release, web: httpx.AsyncClient) -> dict[str, Made]:
    """Makes jobs that end, then one whose worker is killed, then some that wait for a worker."""
    worker = await release.start("arq", "quickthumb.worker.Settings")
    made = {
        "done": Made(accepted(await form(web, picture(200, 150))), ("thumbnail",)),
        "done, two outputs": Made(accepted(await in_json(web, picture(160, 120, "PNG"), TWO)), ("small", "gray")),
        "done, a preset": Made(
            accepted(await form(web, animation(), preset="square-32-64")), ("square-32", "square-64")
        ),
    }
    for job in made.values():
        await until(web, job.job_id, "DONE")
    made["failed"] = Made(accepted(await form(web, picture(200, 150)[:-900])), ())
    await until(web, made["failed"].job_id, "FAILED")
    made["running"] = Made(accepted(await form(web, picture(*HANGS))), ("thumbnail",))
    await until(web, made["running"].job_id, "IN_PROGRESS")
    worker.kill()
    await worker.wait()
    made["cancelled"] = Made(accepted(await form(web, picture(120, 90))), ())
    assert (await web.post(f"/jobs/{made['cancelled'].job_id}/cancel")).status_code == 202
    key = {"key": IDEMPOTENCY_KEY, "width": "50"}
    made["waiting, with a key"] = Made(accepted(await form(web, picture(140, 105), **key)), ("thumbnail",))
    made["waiting, two outputs"] = Made(accepted(await in_json(web, picture(100, 100), TWO)), ("small", "gray"))
    made["waiting, raw"] = Made(accepted(await raw(web, picture(90, 60, "PNG"), size="30x30")), ("thumbnail",))
    square = {"data": base64.b64encode(picture(80, 80)).decode()}
    older = accepted(await web.post("/tasks", json=square))
    made["waiting, from an older API"] = Made(older, ("square-32", "square-64"))
    return made


async def told_of(web: httpx.AsyncClient, job: Made) -> dict[str, Any]:
    """The job as the release shows it, and the digest of each result; None for a result that is not made yet."""
    shown = (await web.get(f"/jobs/{job.job_id}")).json()
    digests: dict[str, str | None] = dict.fromkeys(job.results)
    for name, result in shown["results"].items():
        digests[name] = hashlib.sha256((await web.get(result["url"])).content).hexdigest()
    return {"shown": shown, "results": digests}


async def dumped(redis_url: str) -> dict[str, dict[str, Any]]:
    """What Redis holds, in a form that plain commands can load into any version of Redis."""
    found = {}
    async with Redis.from_url(redis_url, decode_responses=True) as redis:
        for key in sorted(await redis.keys("*")):
            seconds = await redis.ttl(key)
            if not 0 <= seconds < SHORTEST_LIFE_SECONDS:
                kind = await redis.type(key)
                found[key] = {"type": kind, "value": await _value(redis, kind, key), "seconds": max(seconds, 0) or None}
    return found


async def _value(redis: Any, kind: str, key: str) -> Any:
    if kind == "zset":
        entries = await redis.zrange(key, 0, -1, withscores=True)
        return {member: int(score) if score.is_integer() else score for member, score in entries}
    if kind == "list":
        return await redis.lrange(key, 0, -1)
    return await (redis.hgetall(key) if kind == "hash" else redis.get(key))


async def make(checkout: Path, target: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        async with RedisServer(folder / "redis") as redis, running(checkout, folder, redis.url) as (release, web):
            jobs = await make_jobs(release, web)
            email = (await web.get("/send-email/ada@example.com")).json()["job_id"]
            told = {
                "made_at": int(time.time()),
                "jobs": {name: await told_of(web, job) for name, job in jobs.items()},
                "key": {"key": IDEMPOTENCY_KEY, "job": "waiting, with a key", "fields": {"width": "50"}},
                "email": {"id": email, "address": "ada@example.com"},
            }
            kept = await dumped(redis.url)
        shutil.copytree(folder / "data", target / "data")
    for name, content in (("told.json", told), ("redis.json", kept)):
        (target / name).write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(make(Path(sys.argv[1]).resolve(), Path(sys.argv[2])))

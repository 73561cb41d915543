"""The owner's way: the web process and the workers each started by hand, against a Redis given by URL."""

import asyncio
import platform
import re
import signal
import sys
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from redis.asyncio import Redis

from quickthumb.queue.keys import KEYS
from quickthumb.storage.layout import REMOVED
from tests.conftest import CHECKOUT, clean_environment, http_client, picture
from tests.redis_server import RedisServer
from tests.waiting import wait_until

SERVE = ("quickthumb", "serve", "--port", "0")
# The same application without the bounds on a request's head.
PLAIN = ("uvicorn", "quickthumb.app:app", "--port", "0")
WORKER = ("arq", "quickthumb.worker.Settings")
# What a killed worker may cost, as promised.
TAKE_OVER_SECONDS = 15


class Program:
    """`python -m …`, with what it says kept in a file."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.returncode is not None

    @property
    def said(self) -> str:
        return self._log.read_text()

    def send(self, signal_number: int) -> None:
        self._process.send_signal(signal_number)

    async def exit_code(self, seconds: float = 30) -> int:
        async with asyncio.timeout(seconds):
            return await self._process.wait()

    async def says(self, text: str, seconds: float = 20) -> str:
        """What it said, once that has this text in it; fails when it ends before."""
        await wait_until(lambda: text in self.said or self.ended, seconds=seconds)
        assert text in self.said, self.said
        return self.said


class Site:
    """One installation: a data folder, a Redis, and the processes that a test starts."""

    def __init__(self, folder: Path, redis: RedisServer) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.redis = redis
        self._programs: list[Program] = []

    async def start(
        self, *words: str, folder: Path = CHECKOUT, bounds: tuple[str, ...] = (), **settings: object
    ) -> Program:
        """`python -m` with the words, in this working directory; `bounds` are words to put in front."""
        given = {"data_dir": self.data, "redis_url": self.redis.url, "worker_threads": 1, **settings}
        log = self.folder / f"{len(self._programs)}.log"
        with log.open("w") as output:
            process = await asyncio.create_subprocess_exec(
                *bounds,
                sys.executable,
                "-m",
                *words,
                cwd=folder,
                env=clean_environment(**given) | {"PYTHONPATH": str(CHECKOUT)},
                stdout=output,
                stderr=output,
            )
        program = Program(process, log)
        self._programs.append(program)
        return program

    async def web(self, words: tuple[str, ...] = SERVE, **settings: Any) -> httpx.AsyncClient:
        """A client of a new web process."""
        return await self.client_of(await self.start(*words, **settings))

    @staticmethod
    async def client_of(program: Program) -> httpx.AsyncClient:
        """A client of a web process, once it listens."""
        said = await program.says("Uvicorn running on")
        found = re.search(r"running on (http://\S+)", said)
        assert found is not None
        return http_client(found[1])

    async def worker(self, **settings: Any) -> Program:
        """A new worker that looks for jobs."""
        program = await self.start(*WORKER, **settings)
        await program.says("redis_version")
        return program

    async def close(self) -> None:
        """Ends what still runs."""
        for program in self._programs:
            if not program.ended:
                program.send(signal.SIGKILL)
                await program.exit_code()


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with RedisServer(tmp_path / "redis") as redis:
        site = Site(tmp_path, redis)
        try:
            yield site
        finally:
            await site.close()


@pytest.fixture(scope="module")
def slow_picture() -> bytes:
    """One that takes a second or so to make small: all must be decoded, and none of it can be skipped."""
    file = BytesIO()
    Image.effect_noise((1500, 1500), 40).resize((9000, 9000)).save(file, "PNG", compress_level=1)
    return file.getvalue()


async def upload(web: httpx.AsyncClient, image: bytes) -> str:
    answer = await web.post("/images/", files={"image": ("a picture", image)})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def status(web: httpx.AsyncClient, job_id: str) -> str:
    return str((await web.get(f"/jobs/{job_id}")).json()["status"])


async def ended(web: httpx.AsyncClient, job_id: str, seconds: int = 20) -> dict[str, Any]:
    answer: dict[str, Any] = (await web.get(f"/jobs/{job_id}", params={"wait": seconds})).json()
    assert answer["finished_at"] is not None, answer
    return answer


async def in_progress(web: httpx.AsyncClient, job_id: str) -> None:
    async def is_in_progress() -> bool:
        return await status(web, job_id) == "IN_PROGRESS"

    await wait_until(is_in_progress)


def kept_files(site: Site) -> list[Path]:
    return [path for path in site.data.rglob("*") if path.is_file()]


@pytest.mark.parametrize("words", [SERVE, PLAIN], ids=["serve", "plain uvicorn"])
async def test_an_upload_becomes_a_thumbnail(site: Site, words: tuple[str, ...]) -> None:
    await site.worker()
    async with await site.web(words) as web:
        job = await ended(web, await upload(web, picture()))
        assert (job["status"], job["attempts"]) == ("DONE", 1)
        result = await web.get(job["results"]["thumbnail"]["url"])
    assert result.status_code == 200
    with Image.open(BytesIO(result.content)) as image:
        assert (image.format, image.size) == ("JPEG", (128, 96))


async def test_check_tells_by_its_exit_code_whether_a_worker_is_alive(site: Site) -> None:
    async def check() -> int:
        return await (await site.start(*WORKER, "--check")).exit_code()

    assert await check() == 1
    worker = await site.worker()

    async def health_is_recorded() -> bool:
        async with Redis.from_url(site.redis.url) as redis:
            return bool(await redis.exists(KEYS.alive(platform.node())))

    await wait_until(health_is_recorded)
    assert await check() == 0
    worker.send(signal.SIGTERM)
    assert await worker.exit_code() == 0
    assert await check() == 1


async def test_burst_works_through_the_queue_and_ends(site: Site) -> None:
    async with await site.web() as web:
        jobs = [await upload(web, picture()) for _ in range(5)]
        worker = await site.start(*WORKER, "--burst")
        assert await worker.exit_code() == 0, worker.said
        assert {await status(web, job_id) for job_id in jobs} == {"DONE"}


async def test_a_worker_that_is_told_to_stop_finishes_what_it_runs(site: Site, slow_picture: bytes) -> None:
    worker = await site.worker()
    async with await site.web() as web:
        job_id = await upload(web, slow_picture)
        await in_progress(web, job_id)
        worker.send(signal.SIGTERM)
        assert await worker.exit_code() == 0, worker.said
        job = (await web.get(f"/jobs/{job_id}")).json()
    assert (job["status"], job["attempts"]) == ("DONE", 1)
    assert "Traceback" not in worker.said


async def test_a_worker_that_is_killed_costs_seconds(site: Site, slow_picture: bytes) -> None:
    first = await site.worker()
    async with await site.web() as web:
        job_id = await upload(web, slow_picture)
        await in_progress(web, job_id)
        second = await site.worker()
        first.send(signal.SIGKILL)
        killed_at = asyncio.get_running_loop().time()
        job = await ended(web, job_id)
        assert asyncio.get_running_loop().time() - killed_at < TAKE_OVER_SECONDS
    assert (job["status"], job["attempts"]) == ("DONE", 2)
    assert not second.ended


async def test_a_redis_that_goes_away_and_comes_back(site: Site) -> None:
    worker = await site.worker()
    async with await site.web() as web:
        await ended(web, await upload(web, picture()))
        before = sorted(kept_files(site))
        await site.redis.kill()
        refused = await web.post("/images/", files={"image": ("a picture", picture())})
        assert (refused.status_code, refused.headers["Content-Type"]) == (503, "application/problem+json")
        assert refused.json()["code"] == "queue_unavailable"
        assert int(refused.headers["Retry-After"]) >= 1
        # A job may be in Redis although its answer was lost, so a mark stays until Redis can be asked.
        others = {path for path in kept_files(site) if {"redis", REMOVED} & set(path.parts)}
        assert sorted(set(kept_files(site)) - others) == before
        assert (await web.get("/healthz")).status_code == 200
        assert (await web.get("/readyz")).status_code == 503
        await site.redis.start()
        job = await ended(web, await upload(web, picture()))
    assert job["status"] == "DONE"
    assert not worker.ended


async def test_a_worker_waits_for_a_redis_that_is_not_there_yet(site: Site) -> None:
    await site.redis.stop()
    worker = await site.start(*WORKER)
    await worker.says("Starting worker")
    await site.redis.start()
    await worker.says("redis_version")


async def test_a_worker_without_redis_can_be_stopped(site: Site) -> None:
    worker = await site.worker()
    await site.redis.kill()
    worker.send(signal.SIGTERM)
    assert await worker.exit_code(20) == 0, worker.said
    assert "Traceback" not in worker.said


@pytest.mark.parametrize(
    ("setting", "value", "where"),
    [("presets", "%s", "PRESETS"), ("tenants", '{"shop": {"presets": %s}}', "TENANTS['shop']['presets']")],
)
async def test_a_bad_preset_ends_each_with_one_sentence(site: Site, setting: str, value: str, where: str) -> None:
    settings: dict[str, Any] = {setting: value % '{"card": [{"name": "front", "width": 0}, {"name": "back"}]}'}
    up = ("quickthumb", "up", "--port", "0")
    for program in [await site.start(*words, **settings) for words in (SERVE, PLAIN, WORKER, up)]:
        assert await program.exit_code() != 0
        (sentence,) = program.said.strip().splitlines()
        assert sentence.startswith(f"quickthumb: {where}: output 1 of the preset 'card': width: ")


async def test_a_misspelt_older_api_ends_the_web_with_one_sentence(site: Site) -> None:
    for words in (SERVE, PLAIN, ("quickthumb", "up", "--port", "0")):
        program = await site.start(*words, compat="image-resize")
        assert await program.exit_code() != 0
        assert program.said.strip().endswith("Did you mean image-resizer?")
        assert len(program.said.strip().splitlines()) == 1


async def test_a_bad_configuration_ends_each_with_one_sentence(site: Site) -> None:
    settings: dict[str, Any] = {"redis_url": "redis://:secret@localhost:port"}
    for program in [await site.start(*words, **settings) for words in (SERVE, PLAIN, WORKER, (*WORKER, "--check"))]:
        assert await program.exit_code() != 0
        (sentence,) = program.said.strip().splitlines()
        assert sentence.startswith("quickthumb: REDIS_URL")
        assert "secret" not in sentence

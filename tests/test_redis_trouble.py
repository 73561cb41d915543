"""Redis as an operator meets it: away, unusable, shared with strangers. Web and workers run as processes."""

import asyncio
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import httpx
import pytest
from arq.connections import ArqRedis
from arq.worker import Worker, func
from redis.asyncio import Redis

from quickthumb.queue.keys import OLD_QUEUE, Keys
from tests.chaos.fleet import free_port
from tests.conftest import CHECKOUT, clean_environment, http_client, picture
from tests.redis_plain import plain_redis
from tests.test_processes import SERVE, WORKER, Program, ended, upload
from tests.waiting import wait_until

# It takes less than 2 s by itself; the rest is for a machine that is busy with other tests.
EXIT_SECONDS = 10.0
START_SECONDS = 60.0
Start = Callable[..., Awaitable[Program]]
REAL_TIME: Mapping[str, str] = {}


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts `python -m …` with settings; what still runs at the end is killed."""
    programs: list[Program] = []

    async def started(*words: str, faked_time: Mapping[str, str] = REAL_TIME, **settings: object) -> Program:
        log = tmp_path / f"{len(programs)}.log"
        environment = clean_environment(**{"data_dir": tmp_path / "data", "worker_threads": 1, **settings})
        environment |= faked_time
        with log.open("w") as output:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *words, cwd=CHECKOUT, env=environment, stdout=output, stderr=output
            )
        programs.append(Program(process, log))
        return programs[-1]

    yield started
    for program in programs:
        if not program.ended:
            program.send(signal.SIGKILL)
            await program.exit_code()


async def client_of(web: Program) -> httpx.AsyncClient:
    found = re.search(r"running on (http://\S+)", await web.says("Uvicorn running on", START_SECONDS))
    assert found is not None
    return http_client(found[1], timeout=90)


def redis_lines(program: Program) -> list[str]:
    return [line for line in program.said.splitlines() if "Redis at " in line]


async def test_what_never_passes_ends_web_and_worker_with_one_sentence(tmp_path: Path, start: Start) -> None:
    async with plain_redis(tmp_path / "redis", "--requirepass", "right") as redis:
        wrong, beyond = redis.url(":wrong"), redis.url(":right", "/99")
        programs = [
            await start(*WORKER, redis_url=wrong),
            await start(*WORKER, redis_url=beyond),
            await start(*SERVE, redis_url=wrong),
            await start(*SERVE, "--workers", "2", redis_url=beyond),
            await start("quickthumb", "up", "--port", "0", redis_url=wrong),
        ]
        for program in programs:
            assert await program.exit_code(START_SECONDS) != 0
            assert "Traceback" not in program.said
            assert "KeyError" not in program.said
            assert ":wrong" not in program.said
            assert "ready" not in program.said.replace("before it was ready", "")
            (line,) = redis_lines(program)
            assert ("invalid username-password pair" in line) or ("DB index is out of range" in line)


async def test_a_worker_without_redis_says_so_once_and_obeys_at_once(tmp_path: Path, start: Start) -> None:
    port = free_port()
    url, place = f"redis://:secret@127.0.0.1:{port}/1", f"127.0.0.1:{port}/1"
    workers = [await start(*WORKER, redis_url=url, worker_name=name) for name in ("one", "two")]
    up = await start("quickthumb", "up", "--port", "0", redis_url=url, worker_name="three")
    for program in (*workers, up):
        await program.says(f"Redis at {place} cannot be reached: Connection refused; waiting for it", START_SECONDS)
    for program, number in ((workers[0], signal.SIGTERM), (up, signal.SIGINT)):
        began = time.monotonic()
        program.send(number)
        assert await program.exit_code() == 0
        assert time.monotonic() - began < EXIT_SECONDS
        assert len(redis_lines(program)) == 1
        assert "ready" not in program.said
    async with plain_redis(tmp_path / "redis", "--requirepass", "secret", port=port):
        await workers[1].says(f"Redis at {place} is back after ", START_SECONDS)
        await workers[1].says("keeps nothing on disk", START_SECONDS)
    # Redis is gone again, while the worker runs.
    await wait_until(lambda: workers[1].said.count("cannot be reached") == 2, seconds=20)
    began = time.monotonic()
    workers[1].send(signal.SIGINT)
    assert await workers[1].exit_code() == 0
    assert time.monotonic() - began < EXIT_SECONDS
    assert [line.partition(place)[2][:8] for line in redis_lines(workers[1])] == [
        " cannot ",
        " is back",
        ": it kee",
        " cannot ",
    ]


async def test_strangers_and_other_deployments_share_a_redis(tmp_path: Path, start: Start) -> None:
    """A foreign arq application with the default queue, and two deployments with prefixes of their own, of which one
    logs in with no more rights than the docs give it."""
    done: list[int] = []

    async def foreign(_: object, number: int) -> None:
        done.append(number)

    async with plain_redis(tmp_path / "redis") as redis, ArqRedis(host="127.0.0.1", port=redis.port) as strangers:
        await redis.client.execute_command(*documented_user("secret"))  # type: ignore[no-untyped-call]
        mine = {"redis_url": redis.url("quickthumb:secret"), "data_dir": tmp_path / "one"}
        other = {"redis_url": redis.url(), "data_dir": tmp_path / "two", "redis_prefix": "other"}
        for number in range(5):
            await strangers.enqueue_job("foreign", number)
        workers = [await start(*WORKER, **settings) for settings in (mine, other)]
        for settings in (mine, other):
            async with await client_of(await start(*SERVE, **settings)) as web:
                jobs = [await ended(web, await upload(web, picture()), seconds=60) for _ in range(3)]
                assert {job["status"] for job in jobs} == {"DONE"}
                for query in ("", "?after=2026-01-01T00:00:00Z", "?filename=PICTURE"):
                    assert len((await web.get(f"/jobs{query}")).json()["jobs"]) == 3
                assert (await web.get("/readyz")).status_code == 200
        assert await denied(redis.client) <= {"config|get", "client|setinfo"}  # neither is needed
        assert "waiting for it" not in "".join(worker.said for worker in workers)
        worker = Worker([func(foreign, name="foreign")], redis_pool=strangers, handle_signals=False, burst=True)  # type: ignore[arg-type]
        await worker.async_run()
        assert sorted(done) == list(range(5))


async def denied(client: Redis) -> set[str]:
    """What a user was denied: the names of commands and keys."""
    return {str(entry["object"]) for entry in await client.acl_log()}


def documented_user(password: str) -> list[str]:
    """The words of the ACL command in docs/deploying.md, with this password."""
    text = (CHECKOUT / "docs" / "deploying.md").read_text(encoding="utf-8")
    found = re.search(r"^ACL SETUSER [^`]+", text, re.MULTILINE)
    assert found is not None
    return found[0].replace("\\\n", " ").replace("A-LONG-PASSWORD", password).split()


async def test_what_an_older_release_queued_is_taken_over_and_no_more(tmp_path: Path, start: Start) -> None:
    async with plain_redis(tmp_path / "redis") as redis:
        async with await client_of(await start(*SERVE, redis_url=redis.url())) as web:
            job_id = await upload(web, picture())
            await redis.client.rename(Keys().queue, OLD_QUEUE)
            await redis.client.zadd(OLD_QUEUE, {"a stranger's": 1})
            worker = await start(*WORKER, redis_url=redis.url())
            assert (await ended(web, job_id, seconds=60))["status"] == "DONE"
        assert "took over 1 items from the queue of an older release" in worker.said
        assert await redis.client.zrange(OLD_QUEUE, 0, -1) == [b"a stranger's"]


async def test_check_asks_about_this_worker_and_no_other(tmp_path: Path, start: Start) -> None:
    async def alive(name: str) -> bool:
        check = await start(*WORKER, "--check", redis_url=redis.url(), worker_name=name)
        return await check.exit_code(START_SECONDS) == 0

    async def is_recorded(name: str) -> bool:
        return bool(await redis.client.exists(Keys().alive(name)))

    async with plain_redis(tmp_path / "redis") as redis:
        workers = {name: await start(*WORKER, redis_url=redis.url(), worker_name=name) for name in ("a", "b", "c")}
        for name in workers:
            await wait_until(lambda name=name: is_recorded(name), seconds=START_SECONDS)  # type: ignore[misc]
        workers["a"].send(signal.SIGTERM)
        await workers["a"].exit_code()
        workers["b"].send(signal.SIGSTOP)

        async def b_is_silent() -> bool:
            return not await is_recorded("b")

        await wait_until(b_is_silent, seconds=20)
        assert [await alive(name) for name in workers] == [False, False, True]


async def test_a_web_process_whose_clock_is_ahead_delays_nothing(tmp_path: Path, start: Start) -> None:
    libraries = list(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not libraries:
        pytest.skip("needs libfaketime (apt install faketime)")
    ahead = {"LD_PRELOAD": str(libraries[0]), "FAKETIME": "+1000s"}
    async with plain_redis(tmp_path / "redis") as redis:
        worker = await start(*WORKER, redis_url=redis.url())
        await worker.says("redis_version", START_SECONDS)
        async with await client_of(await start(*SERVE, redis_url=redis.url(), faked_time=ahead)) as web:
            job = await ended(web, await upload(web, picture()), seconds=60)
            assert job["status"] == "DONE"
            assert job["created_at"] > job["started_at"]  # so its clock was ahead
            assert (await web.get("/readyz")).json()["checks"]["workers"] == "ok"

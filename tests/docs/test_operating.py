"""docs/operating.md, typed command by command: what was accepted is there after each of its procedures."""

import asyncio
import hashlib
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.conftest import CHECKOUT, http_client, picture, running_service
from tests.docs.terminal import Terminal, section
from tests.waiting import wait_until

PAGE = "operating.md"
TYPED = ("Backing up", "Restoring", "Upgrading", "From the embedded Redis to your own", "A second machine")


@dataclass(frozen=True)
class Accepted:
    """A folder in which `quickthumb up` ran on `data/` and of which a backup was made meanwhile. `ended` has the jobs
    that ended before the backup, with a digest and the ETag of each thumbnail; `under_way` has others."""

    folder: Path
    ended: dict[str, tuple[str, str]]
    under_way: list[str]


async def upload(web: httpx.AsyncClient) -> str:
    answer = await web.post("/images/", files={"image": ("cat.jpg", picture(1600, 1200))})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def job(web: httpx.AsyncClient, job_id: str) -> dict[str, Any]:
    answer = await web.get(f"/jobs/{job_id}", params={"wait": 30})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


async def thumbnail(web: httpx.AsyncClient, job_id: str) -> tuple[str, str]:
    told = await job(web, job_id)
    assert told["status"] == "DONE", told
    answer = await web.get(told["results"]["thumbnail"]["url"])
    return hashlib.sha256(answer.content).hexdigest(), answer.headers["ETag"]


@pytest.fixture(scope="module")
def accepted(tmp_path_factory: pytest.TempPathFactory) -> Accepted:
    folder = tmp_path_factory.mktemp("accepted")

    async def use(url: str) -> Accepted:
        async with http_client(url) as web:
            ended = {job_id: await thumbnail(web, job_id) for job_id in [await upload(web) for _ in range(3)]}
            under_way = [await upload(web) for _ in range(4)]
            with Terminal(folder) as terminal:
                for command, output in section(PAGE, "Backing up"):
                    terminal.type(command, output)
            return Accepted(folder, ended, under_way)

    with running_service(folder, worker_threads=1) as url:
        return asyncio.run(use(url))


async def assert_all_there(web: httpx.AsyncClient, accepted: Accepted) -> None:
    for job_id, was in accepted.ended.items():
        assert await thumbnail(web, job_id) == was
    for job_id in accepted.under_way:
        await thumbnail(web, job_id)


async def test_a_backup_of_a_running_service_has_every_job(accepted: Accepted) -> None:
    *commands, (up, _) = section(PAGE, "Restoring")[:3]
    with Terminal(accepted.folder) as terminal:
        for command, output in commands:
            terminal.type(command, output)
        terminal.type(up)
        async with http_client(terminal.web) as web:

            async def has_all() -> bool:
                listed = (await web.get("/jobs", params={"limit": 100})).json()["jobs"]
                return {told["id"] for told in listed} == {*accepted.ended, *accepted.under_way}

            await wait_until(has_all, seconds=30)  # the first worker reads all records once it runs
            await assert_all_there(web, accepted)


async def test_a_redis_of_ones_own_and_a_second_machine(accepted: Accepted, tmp_path: Path) -> None:
    with Terminal(accepted.folder) as first, Terminal(tmp_path, first.redis_port) as second:
        for command, output in section(PAGE, "From the embedded Redis to your own"):
            first.type(command, output)
        async with http_client(first.web) as web:
            await assert_all_there(web, accepted)
        for command, _ in section(PAGE, "A second machine"):
            second.type(command.replace("/srv/quickthumb", str(accepted.folder / "data")))
        first.stop()  # its worker; the second machine does the rest
        async with http_client(first.web) as one, http_client(second.web) as other:
            job_id = await upload(one)
            assert await thumbnail(other, job_id) == await thumbnail(one, job_id)
        # The page shows this command once more, with its output.
        (recover,) = [shown for shown in section(PAGE, "Restoring") if shown[1]]
        first.type(*recover)


def test_the_commands_for_compose_name_its_services() -> None:
    services = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())["services"]
    commands = [shlex.split(command) for command, _ in section(PAGE, "Upgrading")]
    assert [words[:3] for words in commands] == [["docker", "compose", "build"], *[["docker", "compose", "up"]] * 2]
    assert [words[-1] for words in commands[1:]] == ["worker", "web"]
    assert {"worker", "web"} <= services.keys()


def test_no_section_is_left_out() -> None:
    titles = re.findall(r"^## (.+)$", (CHECKOUT / "docs" / PAGE).read_text(encoding="utf-8"), re.MULTILINE)
    assert [title for title in titles if section(PAGE, title)] == list(TYPED)

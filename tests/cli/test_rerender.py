"""`quickthumb rerender`, beside a running service."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import commands
from tests.cli.test_program import assert_one_sentence
from tests.conftest import clean_environment, picture, running_service

BEFORE = {"avatar": [{"size": "64x64"}]}
AFTER = {"avatar": [{"size": "96x96", "fit": "cover"}]}


@dataclass(frozen=True)
class Site:
    client: httpx.Client
    folder: Path

    def upload(self, **fields: str) -> dict[str, Any]:
        answer = self.client.post("/images/", params={"wait": 30}, files={"image": ("a.jpg", picture())}, data=fields)
        assert answer.status_code == 200, answer.text
        job: dict[str, Any] = answer.json()
        return job

    def run(self, *words: str, presets: dict[str, Any] = AFTER) -> subprocess.CompletedProcess[str]:
        environment = clean_environment(data_dir=self.folder / "data", presets=json.dumps(presets))
        return commands.run(["rerender", "--journal", str(self.folder / "journal"), *words], environment, self.folder)

    def job(self, job_id: str) -> dict[str, Any]:
        job: dict[str, Any] = self.client.get(f"/jobs/{job_id}").json()
        return job


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with (
        running_service(tmp_path, presets=json.dumps(BEFORE)) as address,
        httpx.Client(base_url=address, timeout=60, trust_env=False) as client,
    ):
        yield Site(client, tmp_path)


def told(ended: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """The successors by their predecessors."""
    said = [json.loads(line) for line in ended.stdout.splitlines()]
    return {line["from"]: line["to"] for line in said}


def test_each_job_of_the_preset_gets_a_successor_once(site: Site) -> None:
    tagged, plain, other = site.upload(preset="avatar", tag="x"), site.upload(preset="avatar"), site.upload()
    assert told(site.run("--preset", "avatar", "--all", presets=BEFORE)) == {}
    of_tag = site.run("--preset", "avatar", "--tag", "x")
    assert [*told(of_tag)] == [tagged["id"]]
    assert of_tag.stderr == "1 jobs made anew.\n"
    successor = site.job(told(of_tag)[tagged["id"]])
    assert (successor["status"], successor["derived_from"]) == ("DONE", tagged["id"])
    assert (successor["priority"], successor["tags"]) == ("low", ["x"])
    assert successor["results"]["avatar"]["width"] == 96
    assert site.job(tagged["id"]) == tagged
    rest = site.run("--preset", "avatar", "--since", "1h", "--at-once", "1")
    assert [*told(rest)] == [plain["id"]]
    assert told(site.run("--preset", "avatar", "--all")) == {}
    assert other["id"] not in (site.folder / "journal").read_text()


def test_a_run_that_was_killed_makes_nothing_twice(site: Site) -> None:
    site.upload(preset="avatar")
    first = told(site.run("--preset", "avatar", "--all"))
    (site.folder / "journal").write_text('{"from": "cut')
    assert told(site.run("--preset", "avatar", "--all")) == first
    assert told(site.run("--preset", "avatar", "--all")) == {}


def test_a_job_without_a_source_is_skipped(site: Site) -> None:
    job = site.upload(preset="avatar")
    (site.folder / "data" / "uploads" / job["id"][:3] / job["id"] / "source").unlink()
    ended = site.run("--preset", "avatar", "--all")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "0 jobs made anew, 1 skipped (source_missing).\n"


def test_mistakes_are_one_sentence(site: Site) -> None:
    assert_one_sentence(site.run("--preset", "nothing", "--all"), "There is no such preset")
    (site.folder / "journal").unlink()
    (site.folder / "journal").mkdir()
    assert_one_sentence(site.run("--preset", "avatar", "--all"), "Cannot use")

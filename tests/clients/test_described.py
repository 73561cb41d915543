"""Requests that schemathesis derives from the OpenAPI document, valid ones and invalid ones, with a key and without.

There are few of them, and the same in every run. The environment variable DESCRIBED_EXAMPLES asks for more for each
operation, which are others in every run, and for each bound of each parameter.
"""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from quickthumb.model.caller import Scope
from tests.access.test_doors import key_for
from tests.conftest import NO_CERTIFICATES, picture, running_service

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "ignored_auth",
)
EXAMPLES = "DESCRIBED_EXAMPLES"
FEW = ("--max-examples", "3", "--generation-deterministic")
# The coverage phase tries each bound of each parameter, which takes minutes.
PHASES = ("--phases", "examples,coverage,fuzzing" if EXAMPLES in os.environ else "examples,fuzzing")
QUIET = ("--warnings", "off", "--suppress-health-check", "all", "--no-shrink")
# Operations on a job that leave it as it is, once it is DONE.
ON_A_JOB = (
    "getJob",
    "cancelJob",
    "retryJob",
    "downloadResult",
    "downloadOriginal",
    "getPipelineStatus",
    "downloadProcessed",
    "getTask",
    "getTaskImage",
)
PRESETS = {"preset": ["thumbnail", "gray-blur", "square-32-64"]}


@dataclass(frozen=True)
class Described:
    """A service that needs a key: its URL, and the headers of who may do everything."""

    url: str
    key: str

    @property
    def header(self) -> str:
        return f"Authorization: Bearer {self.key}"

    def done_job(self) -> str:
        """A job with a result for each of the APIs."""
        name, _, value = self.header.partition(": ")
        files = {"image": ("cat.jpg", picture(200, 200), "image/jpeg")}
        with httpx.Client(base_url=self.url, headers={name: value}, verify=NO_CERTIFICATES, trust_env=False) as client:
            job = client.post("/images/", files=files, data=PRESETS).json()
            for _ in range(30):
                job = client.get(f"/jobs/{job['id']}", params={"wait": 1}).json()
                if job["finished_at"]:
                    break
        assert job["status"] == "DONE"
        job_id: str = job["id"]
        return job_id


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Described]:
    folder = tmp_path_factory.mktemp("described")
    key = asyncio.run(key_for(folder, Scope.ADMIN))
    with running_service(
        folder,
        max_wait_seconds=1,
        email_max_queued=100_000,
        email_allowed="*@example.com",
        url_secrets="described-" * 4,
    ) as url:
        yield Described(url, key)


def run(folder: Path, url: str, *words: str) -> str:
    """What schemathesis prints. Fails if it finds anything."""
    program = Path(sys.executable).with_name("schemathesis")
    examples = os.environ.get(EXAMPLES)
    how_many = ("--max-examples", examples) if examples else FEW
    command = [str(program), "run", f"{url}/openapi.json", "--checks", ",".join(CHECKS), *how_many, *PHASES, *QUIET]
    environment = {**os.environ, "NO_COLOR": "1"}
    ended = subprocess.run([*command, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "No issues found" in ended.stdout
    return ended.stdout


def operations(printed: str) -> tuple[int, int]:
    """How many operations it has tested, and how many there are."""
    found = re.search(r"Selected: (\d+)/(\d+)\s+Tested: (\d+)", printed)
    assert found
    return int(found[3]), int(found[2])


@pytest.mark.timeout(1800 if EXAMPLES in os.environ else 300)
@pytest.mark.parametrize("has_key", [True, False], ids=["with a key", "without a key"])
def test_every_answer_is_as_described_and_none_is_a_server_error(
    described: Described, tmp_path: Path, has_key: bool
) -> None:
    words = ["--header", described.header] if has_key else []
    tested, described_ = operations(run(tmp_path, described.url, *words))
    assert tested == described_


@pytest.mark.timeout(1800 if EXAMPLES in os.environ else 300)
def test_so_are_those_about_a_job_that_there_is(described: Described, tmp_path: Path) -> None:
    job_id = described.done_job()
    settings(tmp_path / "schemathesis.toml", job_id=job_id, task_id=job_id, name="thumbnail")
    chosen = [word for operation in ON_A_JOB for word in ("--include-operation-id", operation)]
    tested, _ = operations(run(tmp_path, described.url, "--header", described.header, *chosen))
    assert tested == len(ON_A_JOB)


def settings(path: Path, **parameters: str) -> None:
    """Writes settings of schemathesis, by which the parameters of paths have these values and no others."""
    lines = [f'"path.{name}" = {json.dumps(value)}' for name, value in parameters.items()]
    path.write_text("\n".join(["[parameters]", *lines, ""]))

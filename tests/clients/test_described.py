"""Requests that schemathesis derives from the OpenAPI document, valid ones and invalid ones."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
# The same requests in every run.
BOUNDS = ("--phases", "examples,fuzzing", "--seed", "1", "--max-examples", "8", "--generation-deterministic")


@pytest.mark.timeout(300)
def test_every_answer_is_as_described_and_none_is_a_server_error(api: str, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("schemathesis")
    words = [str(program), "run", f"{api}/openapi.json", "--checks", ",".join(CHECKS), *BOUNDS]
    quiet = ["--warnings", "off", "--suppress-health-check", "all", "--no-shrink"]
    environment = {**os.environ, "NO_COLOR": "1"}
    ended = subprocess.run([*words, *quiet], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "No issues found" in ended.stdout

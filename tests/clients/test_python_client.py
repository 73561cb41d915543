"""A Python client that openapi-python-client generates."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, picture

GENERATE = ("openapi_python_client", "generate", "--meta", "none", "--output-path", "quickthumb_api")


@pytest.fixture(scope="module")
def client(document: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the client's package `quickthumb_api`. The generator warned of nothing."""
    folder = tmp_path_factory.mktemp("python")
    config = folder / "config.yml"
    config.write_text("post_hooks: []\n")  # by default, the generator lints and formats the client
    words = [sys.executable, "-m", *GENERATE, "--path", str(document), "--config", str(config)]
    ended = subprocess.run([*words, "--fail-on-warning"], cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "warning" not in (ended.stdout + ended.stderr).lower()
    return folder


@pytest.mark.timeout(300)
def test_it_uploads_polls_and_downloads(client: Path, api: str) -> None:
    (client / "cat.jpg").write_bytes(picture())
    program = CHECKOUT / "tests" / "clients" / "session.py"
    words = [sys.executable, "-W", "error", str(program), api]
    environment = {"PYTHONPATH": str(client), "PATH": ""}
    ended = subprocess.run(words, cwd=client, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == [
        "form with a preset: thumbnail 128x96 image/jpeg",
        "form with outputs: small 64x48 image/jpeg",
        "JSON with outputs: small 64x48 image/jpeg",
        "bare image: tiny 40x30 image/jpeg",
        "original: 400x300",
        "refusal: invalid_parameter preset",
        "unknown job: unknown_job",
        "listed: True",
        "deleted: 204",
    ]

"""What the documents say is true: their tables are the code's, their commands run, their output is what comes out."""

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.conftest import CHECKOUT, picture

PAGES = [CHECKOUT / "README.md", CHECKOUT / "CONTRIBUTING.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
# tests/docs/ types the commands of these pages.
TYPED_ELSEWHERE = {"from-celery.md", "kubernetes.md", "operating.md", "webhooks.md"}
SHOWN_ADDRESS = "localhost:8000"
JOB_ID = r"[0-9a-f]{32}"


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, CHECKOUT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def commands(page: Path) -> Iterator[tuple[str, str]]:
    """Each command that a page shows in a console block, with the output it shows for it."""
    for block in re.findall(r"```console\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


SHOWN = [
    pytest.param(command, output, id=f"{page.name}: {command[:60]}")
    for page in PAGES
    if page.name not in TYPED_ELSEWHERE
    for command, output in commands(page)
]


@pytest.mark.parametrize("name", script("tables").TABLES)
def test_a_table_is_what_the_code_says(name: str) -> None:
    tables = script("tables")
    page, table = tables.TABLES[name]
    text = (CHECKOUT / page).read_text(encoding="utf-8")
    assert tables.rewritten(text, name, table()) == text, "run `make tables`"


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", [*PAGES, CHECKOUT / "CHANGELOG.md"], ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, service: str) -> Path:
    """Where the commands are run: with the pictures that they name, and a job to ask for."""
    made = tmp_path_factory.mktemp("commands")
    (made / "photo.jpg").write_bytes(picture(640, 480))
    (made / "small.png").write_bytes(picture(40, 30, "PNG"))
    (made / "square.png").write_bytes(picture(40, 40, "PNG"))
    return made


# How a job is made that a URL can show: the older APIs show only jobs of their own kind.
UPLOADS = {
    "/tasks/": (
        "id",
        f"""-H 'Content-Type: application/json' -d '{{"data": "'$(base64 -w0 square.png)'"}}' {SHOWN_ADDRESS}/tasks""",
    ),
    "/processed/": ("task_id", f"-F file=@photo.jpg {SHOWN_ADDRESS}/upload"),
    "/": ("id", f"-F image=@photo.jpg {SHOWN_ADDRESS}/images/"),
}


@pytest.fixture(scope="module")
def job_ids(folder: Path, service: str) -> dict[str, str]:
    """A job that has ended for each of UPLOADS."""
    found = {}
    for start, (key, upload) in UPLOADS.items():
        accepted = json.loads(run(f"curl --fail-with-body -sS {upload}", folder, service))
        found[start] = accepted[key]
        run(f"curl --fail-with-body -sS {SHOWN_ADDRESS}/jobs/{accepted[key]}?wait=20", folder, service)
    return found


def run(command: str, folder: Path, service: str) -> str:
    real = command.replace(SHOWN_ADDRESS, service.removeprefix("http://"))
    ended = subprocess.run(["sh", "-c", real], cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def shape(value: Any) -> Any:
    """What an answer looks like: its keys and the types of its values."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return type(value).__name__


def check_make(command: str) -> None:
    assert runs(["make", "-n", *shlex.split(command)[1:]])


def check_docker(command: str) -> None:
    assert command.startswith("docker compose up ")
    assert "worker" in (CHECKOUT / "docker-compose.yml").read_text()


def check_own(command: str) -> None:
    assert runs([sys.executable, "-m", *command.split(), "--help"])


def check_server(command: str) -> None:
    """Here it is enough that it is spelt as in tests/test_processes.py, which starts these."""
    assert re.search(r"quickthumb\.(app:app|worker\.Settings)$", command)


def check_honcho(command: str) -> None:
    assert runs([sys.executable, "-m", "honcho", "check"])


def check_folder(command: str) -> None:
    """Makes the folder elsewhere, for this user and its group."""
    with tempfile.TemporaryDirectory() as elsewhere:
        made = Path(elsewhere) / "made"
        words = re.sub(r" --(owner|group) \S+", "", command).split()
        assert runs([*words[:-1], str(made)])
        assert f"{made.stat().st_mode & 0o7777:o}" in words


CHECKS: dict[str, Callable[[str], None]] = {
    "make": check_make,
    "docker": check_docker,
    "quickthumb": check_own,
    "uvicorn": check_server,
    "arq": check_server,
    "honcho": check_honcho,
    "install": check_folder,
}


@pytest.mark.parametrize(("command", "output"), SHOWN)
def test_a_command_does_what_is_shown(command: str, output: str, request: pytest.FixtureRequest) -> None:
    if SHOWN_ADDRESS in command:
        check_request(command, output, request)
    elif command.startswith("quickthumb render "):
        check_rendering(command, output, request)
    else:
        CHECKS[command.split()[0]](command)


def runs(words: list[str]) -> bool:
    return subprocess.run(words, cwd=CHECKOUT, capture_output=True, check=False).returncode == 0


def check_rendering(command: str, output: str, request: pytest.FixtureRequest) -> None:
    words = command.split()[1:]
    ended = subprocess.run(
        [sys.executable, "-m", "quickthumb", *words],
        cwd=request.getfixturevalue("folder"),
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert re.sub(r"\d+", "9", ended.stdout) == re.sub(r"\d+", "9", output)


def check_request(command: str, output: str, request: pytest.FixtureRequest) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    service, folder, job_ids = (request.getfixturevalue(name) for name in ("service", "folder", "job_ids"))
    job_id = next(job_id for start, job_id in job_ids.items() if start in command)
    printed = run(re.sub(JOB_ID, job_id, command), folder, service)
    if "json.tool" in command:
        printed_answer, shown_answer = json.loads(printed), json.loads(output)
        assert shape(printed_answer) == shape(shown_answer)
        assert printed_answer["status"] == shown_answer["status"]
    elif output:
        assert re.sub(r"\d+", "9", printed) == re.sub(r"\d+", "9", output)


def test_every_curl_fails_when_the_service_refuses() -> None:
    shown = [command for page in PAGES for command, _ in commands(page) if "curl " in command]
    assert shown
    assert not [command for command in shown if "curl --fail-with-body " not in command]

"""A TypeScript client whose types openapi-typescript generates."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT, picture

HERE = CHECKOUT / "tests" / "clients"
NPM, NODE = shutil.which("npm"), shutil.which("node")
COMPILE = ("--skipLibCheck", "--strict", "--noUncheckedIndexedAccess", "--target", "es2022", "--module", "esnext")
RESOLVE = ("--moduleResolution", "bundler", "--lib", "es2023,dom,dom.iterable", "--types", "node")

pytestmark = [
    pytest.mark.skipif(NPM is None or NODE is None, reason="needs Node with npm"),
    pytest.mark.timeout(300),  # npm asks the network, and the compiler takes its time
]


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the generator, the compiler and openapi-fetch; skips the tests where npm cannot get them."""
    folder = tmp_path_factory.mktemp("typescript")
    for name in ("package.json", "package-lock.json", "session.ts"):
        shutil.copy(HERE / name, folder)
    installed = run(folder, str(NPM), "ci", "--no-audit", "--no-fund", "--prefer-offline")
    if installed.returncode:
        pytest.skip(f"npm cannot install what is needed: {installed.stderr.strip()[-200:]}")
    return folder


def test_it_compiles_uploads_polls_and_downloads(project: Path, document: Path, api: str) -> None:
    tools = project / "node_modules" / ".bin"
    generated = run(project, str(tools / "openapi-typescript"), str(document), "--output", "schema.d.ts")
    assert generated.returncode == 0, generated.stderr
    assert "warn" not in (generated.stdout + generated.stderr).lower()
    compiled = run(project, str(tools / "tsc"), *COMPILE, *RESOLVE, "session.ts")
    assert compiled.returncode == 0, compiled.stdout
    (project / "cat.jpg").write_bytes(picture())
    ended = run(project, str(NODE), "session.js", api, "cat.jpg")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == [
        "form with a preset: thumbnail 128x96 image/jpeg true",
        "form with outputs: small 64x48 image/jpeg true",
        "JSON with outputs: small 64x48 image/jpeg true",
        "bare image: tiny 40x30 image/jpeg true",
        "refusal: invalid_parameter preset",
        "listed: 1 string",
    ]

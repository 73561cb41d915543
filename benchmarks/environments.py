"""The environments of the peers: made under `build/bench/` on first use, and again when their requirements change."""

import shutil
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
PEERS = HERE / "peers"
BUILD = HERE.parent / "build" / "bench"


class NotInstalled(Exception):
    """A peer cannot be installed here. The message is one line: what failed."""


def python_environment(name: str) -> Path:
    """The folder `bin` of the environment with the requirements of a peer. Raises NotInstalled."""
    requirements = PEERS / name / "requirements.txt"
    folder = BUILD / "environments" / name
    stamp = folder / "requirements.txt"
    if not stamp.exists() or stamp.read_text() != requirements.read_text():
        print(f"installing {name} into {folder.relative_to(HERE.parent)} (the first time only)", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True, symlinks=True)
        install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", str(requirements)]
        _run([str(folder / "bin" / "python"), *install], name)
        shutil.copyfile(requirements, stamp)
    return folder / "bin"


def node_packages() -> Path:
    """The folder of the scripts for Node, with sharp installed. Raises NotInstalled."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise NotInstalled("sharp needs node and npm")
    if not (HERE / "node_modules").exists():
        print("installing sharp into benchmarks/node_modules (the first time only)", flush=True)
        _run(["npm", "ci", "--silent", "--prefix", str(HERE)], "sharp")
    return HERE


def _run(words: list[str], name: str) -> None:
    ended = subprocess.run(words, capture_output=True, text=True, errors="replace", check=False)
    if ended.returncode:
        lines = (ended.stderr.strip() or ended.stdout.strip() or "no reason given").splitlines()
        raise NotInstalled(f"{name} on Python {sys.version.split()[0]}: {lines[-1]}")

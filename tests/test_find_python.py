"""`scripts/find-python`, with which the Makefile finds a Python on an unknown machine."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "scripts" / "find-python"


class Machine:
    """A PATH that holds only the Pythons that the test puts there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, name: str, *, works: bool = True) -> None:
        command = f'exec {sys.executable} "$@"' if works else "echo 'pyenv: command not found' >&2; exit 127"
        (self.folder / name).write_text(f"#!/bin/sh\n{command}\n")
        (self.folder / name).chmod(0o755)

    def find(self, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", str(SCRIPT)],
            env={"PATH": str(self.folder), **environment},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_system_s_python_goes_first_if_it_is_new_enough(machine: Machine) -> None:
    machine.has("python3.14")
    machine.has("python3.12")
    assert machine.find().stdout == "python3.12\n"
    machine.has("python3")
    assert machine.find().stdout == "python3\n"


def test_an_old_python_is_passed_over(machine: Machine) -> None:
    old = f'{sys.executable} -c "import sys; sys.version_info = (3, 10); $2" 2>/dev/null'
    (machine.folder / "python3").write_text(f"#!/bin/sh\nexec {old}\n")
    (machine.folder / "python3").chmod(0o755)
    machine.has("python3.14")
    assert machine.find().stdout == "python3.14\n"


def test_a_shim_without_a_python_behind_it_is_passed_over(machine: Machine) -> None:
    machine.has("python3", works=False)
    machine.has("python3.12")
    assert machine.find().stdout == "python3.12\n"


def test_the_one_that_is_named_is_taken_or_refused(machine: Machine) -> None:
    machine.has("python3.12")
    machine.has("mine")
    machine.has("broken", works=False)
    assert machine.find(PYTHON="mine").stdout == "mine\n"
    refused = machine.find(PYTHON="broken")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "PYTHON=broken is not a Python 3.11 or newer with venv.\n"


def test_without_any_a_sentence_says_how_to_get_one(machine: Machine) -> None:
    refused = machine.find()
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("No Python 3.11 or newer with venv was found. Install one (Debian")
    assert len(refused.stderr.splitlines()) == 1

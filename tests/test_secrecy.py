"""Secrets leave the environment of a process, and reach its children all the same."""

import os
import subprocess
import sys

import pytest

from quickthumb.config import SETTINGS, secrecy
from tests.conftest import CHECKOUT, clean_environment

SECRET = "hunter2-hunter2"
URL = f"redis://:{SECRET}@127.0.0.1:1"
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

LOADS_TWICE = """
import os, subprocess, sys
from pathlib import Path
from quickthumb.config import load
for _ in range(2):
    assert load().redis_connection_url == sys.argv[1]
assert not any("hunter2" in value for value in os.environ.values())
assert "HOME_OF_TESTS" in os.environ
if sys.platform == "linux":
    assert "hunter2" not in Path("/proc/self/environ").read_text()
    assert "HOME_OF_TESTS=here" in Path("/proc/self/environ").read_text()
child = subprocess.run([sys.executable, "-c", "import os; print(dict(os.environ))"], capture_output=True, text=True)
assert "hunter2" not in child.stdout
print("fine")
"""


def said(code: str, *words: str, environment: dict[str, str], inherited: tuple[int, ...] = ()) -> str:
    command = [sys.executable, "-c", code, *words]
    variables = environment | {"PYTHONPATH": str(CHECKOUT)}
    return subprocess.run(
        command, env=variables, pass_fds=inherited, capture_output=True, text=True, check=True, cwd="/"
    ).stdout


@pytest.mark.parametrize("name", ["REDIS_URL", "redis_url"])
def test_what_was_read_is_no_longer_in_the_environment_and_can_be_read_again(name: str) -> None:
    environment = {**clean_environment(), f"QUICKTHUMB_{name}": URL, "HOME_OF_TESTS": "here"}
    assert said(LOADS_TWICE, URL, environment=environment) == "fine\n"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows hands down no descriptors")
def test_a_child_gets_secrets_through_a_pipe() -> None:
    with secrecy.handed_down({"QUICKTHUMB_REDIS_URL": URL}) as (inherited, variables):
        environment = {**clean_environment(), **variables, "HOME_OF_TESTS": "here"}
        assert URL not in environment.values()
        assert said(LOADS_TWICE, URL, environment=environment, inherited=inherited) == "fine\n"


def test_without_secrets_there_is_no_pipe() -> None:
    with secrecy.handed_down({}) as handed:
        assert handed == ((), {})


def test_secrets_that_no_pipe_takes_are_refused_at_once() -> None:
    with pytest.raises(OSError, match="too long"), secrecy.handed_down({"QUICKTHUMB_REDIS_URL": "x" * 2**21}):
        raise AssertionError("was handed down")


def test_the_secret_settings_are_known_and_a_file_is_none() -> None:
    assert {name for name, setting in SETTINGS.items() if setting.is_secret} >= {"redis_url", "smtp_password"}
    kept = {"QUICKTHUMB_REDIS_URL_FILE": "/run/secrets/redis", "QUICKTHUMB_PORT": "1", "REDIS_URL": "theirs"}
    assert secrecy.without_secrets({**kept, "QUICKTHUMB_SMTP_PASSWORD": SECRET}) == kept


INSPECTS = """
import ctypes
from quickthumb.config.secrecy import PR_GET_DUMPABLE, unreadable
prctl = ctypes.CDLL(None).prctl
before = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0)
with unreadable():
    assert prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0
assert prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == before
print("fine")
"""


@linux_only
def test_an_unreadable_process_cannot_be_dumped_and_is_readable_afterwards() -> None:
    assert said(INSPECTS, environment=clean_environment()) == "fine\n"


PEEKS = """
import ctypes, os
from quickthumb.config.secrecy import PR_SET_DUMPABLE, unreadable

def peeked(pid):
    child = os.fork()
    if child == 0:
        try:
            open(f"/proc/{pid}/mem", "rb").close()
            open(f"/proc/{pid}/environ", "rb").close()
        except PermissionError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

os.setgid(65534), os.setuid(65534)
ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # to change the user turns it off
outside = peeked(os.getpid())
with unreadable():
    print(outside, peeked(os.getpid()))
"""


@linux_only
@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="root plays the service's user")
def test_a_process_of_the_same_user_reads_neither_memory_nor_variables() -> None:
    assert said(PEEKS, environment=clean_environment()) == "True False\n"

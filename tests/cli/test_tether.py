import asyncio
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from quickthumb.cli import tether
from tests.processes import is_alive
from tests.waiting import wait_until

TETHER = [sys.executable, "-I", "-S", str(Path(tether.__file__))]

# Starts a sleeper on the tether, says its process id, and waits to be killed.
PARENT = """
import os, subprocess, sys
sleeper = subprocess.Popen([*sys.argv[1:], str(os.getpid()), sys.executable, "-c", "import time; time.sleep(60)"])
print(sleeper.pid, flush=True)
sleeper.wait()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel service is Linux's")
async def test_a_child_dies_when_its_parent_is_killed() -> None:
    words = [sys.executable, "-c", PARENT, *TETHER]
    parent = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    try:
        assert parent.stdout is not None
        sleeper = psutil.Process(int(await parent.stdout.readline()))
        await wait_until(lambda: sleeper.cmdline()[1:2] == ["-c"])  # it has become the command
    finally:
        parent.kill()
        await parent.wait()
    await wait_until(lambda: not is_alive(sleeper))


def test_a_child_whose_parent_has_gone_already_does_not_start() -> None:
    ended = subprocess.run([*TETHER, "1", "echo", "started"], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stdout == ""


def test_a_command_that_cannot_be_run_is_a_sentence() -> None:
    words = [*TETHER, str(os.getpid()), "/no/such/command"]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 127
    assert ended.stderr == "cannot run /no/such/command: No such file or directory\n"

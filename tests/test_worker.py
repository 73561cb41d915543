"""The event loop that arq finds when it has read the worker's settings."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import CHECKOUT

LOOP = """
import asyncio
from quickthumb.worker import Settings
print(type(asyncio.get_event_loop()).__module__)
"""
IMPORT = """
import asyncio
import gc
import sys
import quickthumb.worker
assert gc.isenabled()
assert "httpx" not in sys.modules
asyncio.run(asyncio.sleep(0))
print("no settings needed")
"""


def said(program: str, **settings: str) -> str:
    """What the program prints. Any warning ends it."""
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.run(
        command, cwd=CHECKOUT, env=os.environ | settings, capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()


@pytest.mark.skipif(importlib.util.find_spec("uvloop") is None, reason="there is no uvloop for this platform")
def test_the_worker_runs_on_uvloop(tmp_path: Path) -> None:
    assert said(LOOP, QUICKTHUMB_DATA_DIR=str(tmp_path)) == "uvloop"


def test_to_import_the_module_needs_no_settings() -> None:
    assert said(IMPORT, QUICKTHUMB_PORT="no number") == "no settings needed"

"""Fixtures that the whole suite shares: pictures made on the spot, and the service as its users run it."""

import contextlib
import gc
import os
import re
import signal
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from io import BytesIO
from pathlib import Path

import httpx
import pytest
from PIL import Image

CHECKOUT = Path(__file__).parent.parent
CORPUS = CHECKOUT.parent / "shared" / "corpus"
START_SECONDS = 60.0
NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
# uvicorn closes a connection that was idle for 5 s. One that is idle for less is safe to use again.
KEEP_ALIVE_SECONDS = 2.0
pytest_plugins = ["tests.chaos.plugin", "tests.scheduling"]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Thousands of tests stay in memory for good, so looking for garbage among them again and again is in vain."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.fixture
def public_path() -> Iterator[Path]:
    """A new folder that every user of the machine may enter. pytest's `tmp_path` is below one that is closed."""
    with tempfile.TemporaryDirectory(dir="/tmp" if os.name == "posix" else None) as name:  # noqa: S108
        path = Path(name)
        path.chmod(0o755)
        yield path


def picture(width: int = 400, height: int = 300, kind: str = "JPEG") -> bytes:
    """A small picture with something in it: a gradient, so that a turned or cut one looks different."""
    image = Image.radial_gradient("L").resize((width, height)).convert("RGB")
    file = BytesIO()
    image.save(file, kind)
    return file.getvalue()


@pytest.fixture
def corpus() -> Path:
    """The folder of real pictures; the test is skipped where it is not."""
    if not CORPUS.is_dir():
        pytest.skip("needs the corpus of real pictures beside the checkout")
    return CORPUS


def clean_environment(**settings: object) -> dict[str, str]:
    """This process's environment without QuickThumb's settings, and with those given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("QUICKTHUMB_")}
    return {**kept, **{f"QUICKTHUMB_{name.upper()}": str(value) for name, value in settings.items()}}


def http_client(url: str, *, timeout: float = 30, from_address: str | None = None) -> httpx.AsyncClient:
    """A client for plain HTTP, at an address of this machine if one is given.

    It loads no certificates, because loading them takes longer than most tests.
    """
    transport = httpx.AsyncHTTPTransport(
        verify=NO_CERTIFICATES,
        trust_env=False,
        limits=httpx.Limits(keepalive_expiry=KEEP_ALIVE_SECONDS),
        local_address=from_address,
    )
    return httpx.AsyncClient(base_url=url, timeout=timeout, trust_env=False, transport=transport)


@contextlib.contextmanager
def running_service(folder: Path, *options: str, modules: tuple[Path, ...] = (), **settings: object) -> Iterator[str]:
    """`quickthumb up` on a folder, as a user runs it; gives the address it prints, and stops it in good order.

    What it prints is in `up.log`. `modules` are folders from which Python is to import before all others.
    """
    folder.mkdir(parents=True, exist_ok=True)
    words = [sys.executable, "-m", "quickthumb", "up", "--port", "0", "--data-dir", str(folder / "data"), *options]
    log_path = folder / "up.log"
    with log_path.open("w") as log:
        environment = clean_environment(**settings) | {"PYTHONPATH": os.pathsep.join(map(str, (*modules, CHECKOUT)))}
        process = subprocess.Popen(words, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            yield _announced_address(process, log_path)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)
    assert process.returncode == 0, log_path.read_text()


def _announced_address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        found = re.search(r"ready: (http://\S+?)/?\s", log.read_text())
        if found:
            return found[1]
        time.sleep(0.02)
    raise AssertionError(f"the service did not start: {log.read_text()}")


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service that all tests share: embedded Redis, web process and one worker."""
    with running_service(tmp_path_factory.mktemp("service")) as address:
        yield address

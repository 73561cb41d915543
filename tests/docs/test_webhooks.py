"""docs/webhooks.md: its session is typed against a real service and a real receiver, and its programs verify."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from quickthumb.model.job import new_id
from quickthumb.model.webhook import EventType, new_secret
from quickthumb.notify.webhook import message, signed_headers
from quickthumb.work.deliver import AT_ONCE, THROTTLING
from quickthumb.work.hosts import MOST_AT_ONCE
from tests.conftest import CHECKOUT, picture, running_service
from tests.docs.test_examples import free_port, wait_for_port
from tests.test_documents import commands, shape
from tests.waiting import wait_until

PAGE = CHECKOUT / "docs" / "webhooks.md"
EXAMPLES = CHECKOUT / "examples" / "webhooks"
SHOWN_RECEIVER, SHOWN_SERVICE = "127.0.0.1:9000", "localhost:8000"


@contextmanager
def running_receiver(folder: Path, port: int, secret: str) -> Iterator[Path]:
    """The program of the page, and what it prints."""
    log_path = folder / "received"
    with log_path.open("w") as log:
        words = [sys.executable, str(EXAMPLES / "receive.py"), str(port)]
        environment = {**os.environ, "SECRET": secret}
        process = subprocess.Popen(words, env=environment, stdout=log, stderr=subprocess.DEVNULL)
        try:
            wait_for_port(process, port, log_path)
            yield log_path
        finally:
            process.kill()
            process.wait()


def typed(command: str, folder: Path) -> str:
    ended = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


async def test_the_session_runs_as_it_is_shown(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(picture(640, 480))
    port = free_port()
    (make, made), (test, tested), (upload, _), (ask, asked) = commands(PAGE)
    with running_service(tmp_path, outbound_allowed=f"127.0.0.1:{port}") as address:

        def ran(command: str, **ids: str) -> str:
            real = command.replace(SHOWN_RECEIVER, f"127.0.0.1:{port}")
            real = real.replace(SHOWN_SERVICE, address.removeprefix("http://"))
            for name, item_id in ids.items():
                real = re.sub(rf"/{name}/[0-9a-f]{{32}}", f"/{name}/{item_id}", real)
            return typed(real, tmp_path)

        webhook = json.loads(ran(make))
        assert shape(webhook) == shape(json.loads(made))
        with running_receiver(tmp_path, port, webhook["secret"]) as received:
            assert shape(json.loads(ran(test, webhooks=webhook["id"]))) == shape(json.loads(tested))
            ran(upload)
            job_id = json.loads((tmp_path / "job.json").read_text())["id"]
            await wait_until(lambda: f"job.done {job_id}" in received.read_text(), 20)
            assert "endpoint.test" in received.read_text()

            def found() -> Any:
                return json.loads(ran(ask, jobs=job_id))

            await wait_until(lambda: bool(found()["deliveries"][0]["status"] == "DONE"))
            assert shape(found()) == shape(json.loads(asked))


@pytest.fixture(scope="module")
def verify() -> ModuleType:
    module = ModuleType("verify")
    exec((EXAMPLES / "verify.py").read_text(), module.__dict__)  # noqa: S102
    return module


def test_ten_lines_verify_a_message(verify: ModuleType) -> None:
    old, new = new_secret(), new_secret()
    body = message(EventType.JOB_DONE, datetime.now(UTC), {"id": new_id()})
    headers = signed_headers([new, old], new_id(), datetime.now(UTC), body)
    assert verify.verified(new, headers, body)
    assert verify.verified(old, headers, body)
    assert not verify.verified(new_secret(), headers, body)
    assert not verify.verified(new, headers, body + b" ")
    assert not verify.verified(new, {**headers, "webhook-id": "msg_another"}, body)
    assert not verify.verified(new, {**headers, "webhook-timestamp": "1614265330"}, body)
    assert not verify.verified(new, {**headers, "webhook-signature": "v1,é"}, body)


@pytest.mark.parametrize("name", ["receive.py", "verify.py"])
def test_the_page_shows_the_programs_as_they_are(name: str) -> None:
    shown = re.search(rf"<!-- examples/webhooks/{name} -->\n```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert shown is not None
    assert shown[1] == (EXAMPLES / name).read_text()


def test_the_numbers_are_those_of_the_code() -> None:
    text = " ".join(PAGE.read_text().split())
    assert f"sends at most {MOST_AT_ONCE} requests at a time to one host of a tenant, and {AT_ONCE} in all" in text
    assert sorted(THROTTLING) == [429, 502, 503, 504]

"""docs/troubleshooting.md quotes log lines and codes. They are the code's, and the service gives them."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from quickthumb.config import SETTINGS
from tests.conftest import CHECKOUT, http_client, picture
from tests.redis_server import RedisServer
from tests.test_documents import script
from tests.waiting import wait_until
from tests.web_process import running_web

PAGE = (CHECKOUT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)
QUOTED = [line.strip() for block in BLOCKS for line in block.splitlines() if line.strip()]
LEVEL = re.compile(r"^(INFO|WARNING|ERROR|CRITICAL|quickthumb:) +")
FEWEST_LETTERS = 12
PLACE = re.compile(r"%[\d.]*[sdgf]|\{\}")


def texts() -> Iterator[str]:
    """Every text in the code; what is filled in stands as `{}`."""
    for path in (CHECKOUT / "quickthumb").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            elif isinstance(node, ast.JoinedStr):
                yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)


# Texts with words of their own: "%s: %s" would fit every line.
PATTERNS = {
    ".*?".join(map(re.escape, PLACE.split(text)))
    for text in texts()
    if len(PLACE.sub("", text).strip()) >= FEWEST_LETTERS
}


@pytest.mark.parametrize("line", QUOTED)
def test_a_quoted_line_is_in_the_code(line: str) -> None:
    said = LEVEL.sub("", line)
    assert said != line, "begins with no level"
    assert any(re.search(pattern, said) for pattern in PATTERNS)


def test_codes_and_settings_exist() -> None:
    tables = script("tables")
    codes = set(re.findall(r"`(\w+)`", tables.errors()))
    words = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", PAGE))
    foreign = {"client_max_body_size", "stop_grace_period", "quickthumb_workers", "quickthumb_queue_length"}
    assert words - foreign <= codes
    names = set(re.findall(r"`(?:QUICKTHUMB_)?([A-Z]+(?:_[A-Z]+)+)`", PAGE))
    assert names - {"IN_PROGRESS"} <= {name.upper() for name in SETTINGS}


async def test_the_service_says_so(tmp_path: Path) -> None:
    """What the page quotes for a service without a worker, with a full queue and without its Redis."""
    async with RedisServer(tmp_path / "redis") as redis, running_web(tmp_path, redis.url, max_queued=1) as web:
        async with http_client(web.address) as client:
            shown = json.loads(re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)[0])
            assert (await client.get("/readyz")).json() == shown
            answers = [await client.post("/images/", files={"image": ("cat.jpg", picture())}) for _ in range(2)]
            assert [answer.status_code for answer in answers] == [202, 503]
            assert answers[1].json()["code"] == "queue_full"
            await redis.kill()
            refused = await client.post("/images/", files={"image": ("cat.jpg", picture())})
            assert refused.json()["code"] == "queue_unavailable"
            await redis.start()
            await wait_until(lambda: " is back after " in web.log.read_text(), seconds=30)
        log = _alike(web.log.read_text())
    for line in QUOTED[:3]:
        assert _alike(LEVEL.sub("", line)) in log


def _alike(text: str) -> str:
    """The text without what differs from one Redis to the next."""
    return re.sub(r"\d+", "9", re.sub(r"Redis at \S+ (cannot be reached: [^;]+)?", "Redis ", text))

"""`quickthumb serve`, started as an operator starts it."""

import signal
import socket
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from tests.cli.test_program import assert_one_sentence, quickthumb
from tests.processes import is_alive
from tests.waiting import wait_until
from tests.web.test_protocol import code, exchange
from tests.web_process import WebProcess, running_web

# Larger than what the server reads at once, so it reaches the limit before the end of the head.
LONG_HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Padding: %s\r\n\r\n" % (
    b"x" * 1_000_000
)


def no_redis(folder: Path) -> str:
    """The URL of a Redis that does not exist; the web server starts without it."""
    return f"unix://{folder}/none"


def web_processes(web: WebProcess) -> list[psutil.Process]:
    """The children that serve; Python's own resource tracker is another child."""
    return [child for child in web.process.children() if "spawn_main" in " ".join(child.cmdline()) and is_alive(child)]


async def test_a_head_is_bounded_and_the_server_not_named(tmp_path: Path) -> None:
    async with running_web(tmp_path, no_redis(tmp_path)) as web, httpx.AsyncClient(base_url=web.address) as client:
        answer = await client.get("/healthz")
        assert answer.status_code == 200
        assert "server" not in answer.headers
        assert code(await exchange(web.address, LONG_HEAD)) == (431, "head_too_large")


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM)])
async def test_it_ends_as_uvicorn_does(tmp_path: Path, number: signal.Signals, exit_code: int) -> None:
    async with running_web(tmp_path, no_redis(tmp_path)) as web:
        web.process.send_signal(number)
        assert web.process.wait(timeout=20) == exit_code
        assert "Application shutdown complete" in web.log.read_text()
        assert "Traceback" not in web.log.read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="the libraries of a process are read from /proc")
@pytest.mark.parametrize("workers", [1, 2])
async def test_it_runs_on_uvloop_and_httptools(tmp_path: Path, workers: int) -> None:
    words = ("quickthumb", "serve", "--port", "0", "--workers", str(workers))
    async with running_web(tmp_path, no_redis(tmp_path), words=words) as web:
        await wait_until(lambda: web.log.read_text().count("Application startup complete") == workers, seconds=60)
        for process in web_processes(web) or [web.process]:
            loaded = {Path(mapped.path).parent.name for mapped in process.memory_maps()}
            assert {"uvloop", "parser"} <= loaded, "httptools' parser is in a folder of that name"


async def test_several_workers_share_the_port_and_a_dead_one_is_replaced(tmp_path: Path) -> None:
    words = ("quickthumb", "serve", "--port", "0", "--workers", "2")
    async with running_web(tmp_path, no_redis(tmp_path), words=words) as web:
        started = web.log.read_text
        await wait_until(lambda: started().count("Application startup complete") == 2, seconds=30)
        first, second = web_processes(web)
        first.kill()
        await wait_until(lambda: started().count("Application startup complete") == 3, seconds=30)
        assert second in web_processes(web)
        assert len(web_processes(web)) == 2
        assert code(await exchange(web.address, LONG_HEAD)) == (431, "head_too_large")
        children = web_processes(web)
        web.process.terminate()
        assert web.process.wait(timeout=30) == 0
        assert not any(is_alive(child) for child in children)


async def test_after_nohup_several_workers_go_on_too(tmp_path: Path) -> None:
    words = ("quickthumb", "serve", "--port", "0", "--workers", "2")
    async with running_web(tmp_path, no_redis(tmp_path), words=words, before=("nohup",)) as web:
        started = web.log.read_text
        await wait_until(lambda: started().count("Application startup complete") == 2, seconds=30)
        first, second = web_processes(web)
        for process in (web.process, first, second):
            process.send_signal(signal.SIGHUP)
        first.kill()
        await wait_until(lambda: started().count("Application startup complete") == 3, seconds=30)
        assert second in web_processes(web)
        assert "SIGHUP" not in started()


def test_a_port_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        in_use = f"127.0.0.1:{port} is in use"
        assert_one_sentence(quickthumb("serve", "--port", port), in_use)
        assert_one_sentence(quickthumb("serve", "--port", port, "--workers", "2"), in_use)
        assert_one_sentence(quickthumb("serve", QUICKTHUMB_PORT=port), in_use)
        assert_one_sentence(quickthumb("serve", "--port", port, QUICKTHUMB_PORT="0"), in_use)


def test_a_mistake_in_the_settings_is_told_once_with_several_workers_too() -> None:
    for words in ((), ("--workers", "2")):
        ended = quickthumb("serve", "--port", "0", *words, QUICKTHUMB_PRESETS='{"card": [{"width": 0}]}')
        assert_one_sentence(ended, "PRESETS: the preset 'card': width: ")
        ended = quickthumb("serve", "--port", "0", *words, QUICKTHUMB_COMPAT="image-resize")
        assert_one_sentence(ended, "Did you mean image-resizer?")

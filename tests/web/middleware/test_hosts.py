"""Which hosts the service answers to."""

from pathlib import Path

import pytest

from quickthumb.config import Config
from quickthumb.web.middleware.hosts import ONLY_LOCAL, Hosts
from tests.web.sockets import connection
from tests.web_process import SERVE, running_web

PLAIN = ("uvicorn", "quickthumb.app:app", "--port", "0")
H11 = (*PLAIN, "--http", "h11")
NO_REDIS = "redis://127.0.0.1:1"

LOCAL = ["localhost", "localhost:8000", "LocalHost.", "app.localhost:8000", "127.0.0.1", "127.1.2.3:80", "[::1]:8000"]
ADDRESSES = ["192.0.2.7:8000", "[2001:db8::1]"]
# These lead to this machine, too, but browsers do not take them for it. They write 127.1, 0x7f.1 and 2130706433 as
# 127.0.0.1, and 0 as 0.0.0.0, before they send them.
DISGUISED = ["0.0.0.0", "0.0.0.0:8000", "[::]", "[::]:8000", "[0:0::0]", "[::0.0.0.0]", "[::ffff:0.0.0.0]:8000"]  # noqa: S104
DISGUISED += ["[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:1]:8000", "0", "0.0", "127.1", "0x7f.1"]
DISGUISED += ["2130706433", "2130706433:8000", "0x7f000001", "017700000001", "0177.0.0.1"]
FOREIGN = ["evil.test", "evil.test:8000", "localhost.evil.test", "evillocalhost", "127.0.0.1.evil.test"]
MALFORMED = ["localhost evil.test", "a@localhost", "localhost/", "localhost,evil.test", "[::1", "localhost:x", "\xff"]


@pytest.mark.parametrize("host", [*LOCAL, *ADDRESSES, ""])
def test_names_of_this_machine_and_addresses_are_admitted(host: str) -> None:
    assert ONLY_LOCAL.admits(host)


@pytest.mark.parametrize("host", [*FOREIGN, *DISGUISED, *MALFORMED])
def test_other_names_are_not(host: str) -> None:
    assert not ONLY_LOCAL.admits(host)


def test_the_name_that_it_listens_on_and_those_in_the_setting_are_admitted() -> None:
    hosts = Hosts.of(["Images.example.org.", "*.cdn.example.org"], listens_on="box.lan", needs_keys=False)
    for host in (
        "box.lan",
        "images.EXAMPLE.org:443",
        "images.example.org.",
        "a.cdn.example.org",
        "a.b.cdn.example.org",
    ):
        assert hosts.admits(host)
    for host in ("example.org", "cdn.example.org", "evilcdn.example.org", "a.images.example.org", "box"):
        assert not hosts.admits(host)


@pytest.mark.parametrize("wildcard", ["0.0.0.0", "::", "0:0::0", "::FFFF:0:0"])  # noqa: S104 - nothing listens
def test_to_listen_on_all_addresses_admits_no_wildcard(wildcard: str) -> None:
    hosts = Hosts.of([], listens_on=wildcard, needs_keys=False)
    assert not any(map(hosts.admits, DISGUISED))
    assert all(map(hosts.admits, [*LOCAL, *ADDRESSES]))


def test_a_wildcard_can_be_listed_all_the_same() -> None:
    listed = Config.of(allowed_hosts="0.0.0.0").web.allowed_hosts  # noqa: S104 - nothing listens
    hosts = Hosts.of(listed, listens_on="0.0.0.0", needs_keys=False)  # noqa: S104 - nothing listens
    assert hosts.admits("0.0.0.0:8000")
    assert not hosts.admits("[::]:8000")


def test_a_star_admits_any_host_and_so_does_a_service_that_needs_keys() -> None:
    for hosts in (
        Hosts.of(["*"], listens_on="127.0.0.1", needs_keys=False),
        Hosts.of([], listens_on="127.0.0.1", needs_keys=True),
    ):
        assert all(map(hosts.admits, FOREIGN))
    assert not Hosts.of(["images.example.org"], listens_on="127.0.0.1", needs_keys=True).admits("evil.test")


@pytest.mark.parametrize("words", [SERVE, PLAIN, H11], ids=["serve", "plain uvicorn", "h11"])
async def test_a_refusal_names_the_host_and_the_setting(tmp_path: Path, words: tuple[str, ...]) -> None:
    async with running_web(tmp_path, NO_REDIS, words=words, allowed_hosts="images.example.org") as web:
        for path in ("/", "/jobs", "/healthz", "/nowhere", "/docs/assets/docs.js"):
            async with connection(web.address) as asking:
                await asking.send(f"GET {path} HTTP/1.1\r\nHost: evil.test:8000\r\n\r\n".encode())
                answer = await asking.answer()
            assert (answer.status_code, answer.json()["code"]) == (421, "host_not_allowed")
            assert "'evil.test:8000'" in answer.json()["detail"]
            assert "ALLOWED_HOSTS" in answer.json()["detail"]
            assert answer.headers["x-content-type-options"] == "nosniff"
        async with connection(web.address) as asking:
            await asking.send(
                b"GET /healthz HTTP/1.1\r\nHost: images.example.org\r\nX-Forwarded-Host: evil.test\r\n\r\n"
            )
            assert (await asking.answer()).status_code == 200
            await asking.send(b"GET /healthz HTTP/1.1\r\nHost: evil.test\r\nX-Forwarded-Host: localhost\r\n\r\n")
            assert (await asking.answer()).status_code == 421


@pytest.mark.parametrize("words", [SERVE, PLAIN], ids=["serve", "plain uvicorn"])
async def test_the_host_in_the_request_line_counts_and_not_the_header(tmp_path: Path, words: tuple[str, ...]) -> None:
    """RFC 9112, section 3.2.2."""
    async with running_web(tmp_path, NO_REDIS, words=words) as web, connection(web.address) as asking:
        await asking.send(b"GET http://evil.test:8000/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = await asking.answer()
        assert (answer.status_code, answer.json()["code"]) == (421, "host_not_allowed")
        await asking.send(b"GET http://localhost/healthz HTTP/1.1\r\nHost: evil.test\r\n\r\n")
        assert (await asking.answer()).status_code == 200
        await asking.send(b"GET http://a@localhost/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await asking.answer()).status_code == 421


async def test_a_refused_upload_is_not_read(tmp_path: Path) -> None:
    async with running_web(tmp_path, NO_REDIS) as web, connection(web.address) as sending:
        await sending.send(b"POST /images/ HTTP/1.1\r\nHost: evil.test\r\nContent-Length: 1000000\r\n\r\n")
        assert (await sending.answer()).status_code == 421
        assert not web.kept()

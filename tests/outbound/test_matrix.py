"""No request reaches what is inside: targets of every kind, with real sockets that count who comes."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest

from quickthumb.model.opening import Opening
from quickthumb.outbound import Guard, OutboundClient, OutboundError, OutboundRefused
from tests.outbound.origin import Origin, origin, redirect

# The name that leads to the tests' own origin, which is opened.
OPEN = "open.test"

ADDRESSES = [
    "0.0.0.0",  # noqa: S104
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.254",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.0.0.2",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.254",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "192.168.255.254",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:10::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::",
    "3fff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]

# Forms of hosts that some resolver takes for an address of this machine, or of its network.
ODD_HOSTS = [
    "localhost",
    "LOCALHOST",
    "localhost.",
    "localhost..",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0x7f.1",
    "017700000001",
    "0177.0.0.1",
    "127.0.0.01",
    "0",
    "0x0",
    "00.0.0.0",
    "4294967295",
    "２１３０７０６４３３",
    "１２７.0.0.1",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "[::1]",
    "[::1%25lo]",
    "[fe80::1%25eth0]",
    "[::ffff:127.0.0.1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:0x7f.0.0.1]",
    "[v1.127001]",
    "127.0.0.1%00.example.org",
    "127.0.0.1%23.example.org",
    "localhost%2eexample.org",
    "ip6-localhost",
    "metadata.google.internal",
    "",
    ".",
    "*",
]

# URLs that look as if they led elsewhere, or are of another kind. `{port}` is a port of this machine.
ODD_URLS = [
    "http://example.org@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}@example.org/",
    "http://user:password@127.0.0.1:{port}/",
    "http://example.org:80@127.0.0.1:{port}/",
    "http://@127.0.0.1:{port}/",
    "http://example.org#@127.0.0.1:{port}/",
    "http://127.0.0.1:{port}#@example.org/",
    "http://127.0.0.1:{port}\\@example.org/",
    "http://example.org\\@127.0.0.1:{port}/",
    "http:\\\\127.0.0.1:{port}/",
    "http:/127.0.0.1:{port}/",
    "http:127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/",
    "http://127.0.0.1:{port}/\r\nX-Injected: 1",
    "http://127.0.0.1:{port}/ HTTP/1.1",
    "http://127.0.0.1\t:{port}/",
    " http://127.0.0.1:{port}/",
    "http://127.0.0.1:{port}, http://example.org/",
    "http://127.0.0.1:0/",
    "http://127.0.0.1:65536/",
    "http://127.0.0.1:-1/",
    "http://127.0.0.1:22/",
    "http://127.0.0.1:6379/",
    "http://127.0.0.1:{port}:80/",
    "https://127.0.0.1:{port}/",
    "file:///etc/passwd",
    "file://127.0.0.1/etc/passwd",
    "gopher://127.0.0.1:{port}/_FLUSHALL",
    "dict://127.0.0.1:{port}/info",
    "ftp://127.0.0.1:{port}/",
    "ws://127.0.0.1:{port}/",
    "unix:///var/run/docker.sock",
    "http+unix://%2Fvar%2Frun%2Fdocker.sock/",
    "data:image/png;base64,AAAA",
    "javascript:alert(1)",
    "jar:http://127.0.0.1:{port}/!/",
    "HTTP://127.0.0.1:{port}/",
    "",
    "http://",
    "https://",
    "http://" + "a" * 3000,
]


def in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address


class Sockets:
    """What listens inside: on loopback of both kinds, at port 80 where that is allowed and at ports of their own."""

    def __init__(self, servers: list[Origin]) -> None:
        self._servers = servers
        self.port = servers[0].port

    @property
    def hits(self) -> int:
        return sum(server.connections for server in self._servers)


@pytest.fixture
async def inside() -> AsyncIterator[Sockets]:
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(origin())]
        for host, port in [("::1", servers[0].port), ("0.0.0.0", 80), ("::1", 80)]:  # noqa: S104
            with contextlib.suppress(OSError):  # no IPv6 here, or no permission for the port
                servers.append(await stack.enter_async_context(origin(host, port)))
        yield Sockets(servers)


class Resolver:
    """Answers with each list of addresses in turn, and with the last one from then on."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked += 1
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


async def get(client: OutboundClient, url: str) -> bytes:
    async with client.get(url, max_bytes=1000, seconds=20) as download:
        return b"".join([chunk async for chunk in download.chunks])


async def is_kept_out(client: OutboundClient, url: str) -> str:
    """Gets and posts; returns what is said about it."""
    with pytest.raises(OutboundRefused) as caught:
        await get(client, url)
    with pytest.raises(OutboundRefused):
        await client.post(url, b"{}", {})
    return caught.value.message


def ports(inside: Sockets) -> Iterator[str]:
    yield from ("", ":80", ":443", f":{inside.port}")


@pytest.mark.parametrize("address", ADDRESSES)
async def test_an_internal_address(inside: Sockets, address: str) -> None:
    client = OutboundClient(Guard())
    for port in ports(inside):
        await is_kept_out(client, f"http://{in_url(address)}{port}/")
    await is_kept_out(client, f"https://{in_url(address)}/")
    assert inside.hits == 0


@pytest.mark.parametrize("address", ADDRESSES)
async def test_a_name_that_leads_to_an_internal_address(inside: Sockets, address: str) -> None:
    for answer in ([address], ["93.184.216.34", address], [address, "93.184.216.34"]):
        said = await is_kept_out(OutboundClient(Guard(resolve=Resolver(answer))), "http://images.example.org/")
        assert said == "Requests to images.example.org are not allowed, because of where it is."
    assert inside.hits == 0


@pytest.mark.parametrize("host", ODD_HOSTS)
async def test_an_odd_host(inside: Sockets, host: str) -> None:
    client = OutboundClient(Guard(resolve=Resolver(["127.0.0.1", "::1"])))
    for port in ports(inside):
        await is_kept_out(client, f"http://{host}{port}/")
    assert inside.hits == 0


@pytest.mark.parametrize("url", ODD_URLS)
async def test_an_odd_url(inside: Sockets, url: str) -> None:
    client = OutboundClient(Guard(resolve=Resolver(["127.0.0.1"])))
    await is_kept_out(client, url.format(port=inside.port))
    assert inside.hits == 0


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
@pytest.mark.parametrize("address", ADDRESSES)
async def test_a_redirect_to_an_internal_address(inside: Sockets, address: str, status: str) -> None:
    async with origin() as outside:
        guard = Guard([Opening.read(f"{OPEN}:{outside.port}")], Resolver(["127.0.0.1"]))
        for port in ("", f":{inside.port}"):
            outside.replies["/"] = redirect(f"http://{in_url(address)}{port}/", status)
            with pytest.raises(OutboundRefused):
                await get(OutboundClient(guard), f"http://{OPEN}:{outside.port}/")
        assert (outside.connections, inside.hits) == (2, 0)


@pytest.mark.parametrize("location", [*ODD_URLS, *(f"http://{host}/" for host in ODD_HOSTS)])
async def test_a_redirect_to_an_odd_url(inside: Sockets, location: str) -> None:
    """A relative one leads back to the same place, which is open; everything else is refused."""
    location = location.format(port=inside.port).replace("\r\nX-Injected: 1", "")
    async with origin() as outside:
        guard = Guard([Opening.read(f"{OPEN}:{outside.port}")], Resolver(["127.0.0.1"]))
        outside.replies["/"] = redirect(location.encode().decode("latin-1"))
        with pytest.raises(OutboundError):
            await get(OutboundClient(guard), f"http://{OPEN}:{outside.port}/")
    assert inside.hits == 0


async def test_a_name_that_changes_its_answer_is_asked_once(inside: Sockets) -> None:
    """Rebinding: the guard sees one address, and the connection must not ask again."""
    async with origin() as outside:
        opening = Opening.read(f"127.0.0.1:{outside.port}")
        outside.replies["/"] = redirect("/again")
        outside.replies["/again"] = redirect("/again")
        resolver = Resolver(["127.0.0.1"], ["::1"])
        with pytest.raises(OutboundRefused):
            await get(OutboundClient(Guard([opening], resolver)), f"http://rebound.test:{outside.port}/")
        assert (outside.connections, resolver.asked, inside.hits) == (1, 2, 0)


async def test_a_public_answer_first_and_an_internal_one_later(inside: Sockets) -> None:
    resolver = Resolver(["93.184.216.34"], ["127.0.0.1"])
    guard = Guard(resolve=resolver)
    target = await guard.target("http://rebound.test/")
    assert target.addresses == ("93.184.216.34",)
    with pytest.raises(OutboundRefused):
        await guard.target("http://rebound.test/")
    assert inside.hits == 0


async def test_the_matrix_is_large_enough() -> None:
    assert len({*ADDRESSES, *ODD_HOSTS, *ODD_URLS}) >= 120

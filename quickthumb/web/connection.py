"""uvicorn's HTTP protocol as every server of this application should have it: it ignores offers to upgrade.

A client may offer to go on in another protocol (`Connection: Upgrade` with `Upgrade: h2c` or `websocket`). Java's
HttpClient does so by default, and so does `curl --http2`. A server may ignore the offer (RFC 9110, section 7.8), and
QuickThumb does. But httptools takes an offer for the end of HTTP: it reads no body and no further request. So the head
is parsed a second time, without the offer, and the rest of the connection after it.

Connections also tell the application when the server shuts down. uvicorn itself tells it only once all answers are out,
which is too late for answers that are being held.
"""

import asyncio
from typing import cast
from urllib.parse import unquote

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from quickthumb.http.authority import authority_in, is_absolute
from quickthumb.service.shutdown import Shutdown
from quickthumb.web.exchange import Exchange

# Where the lifespan state holds the application's `Shutdown`.
SHUTDOWN = "shutdown"
INVALID = "Invalid HTTP request received."


class AnnouncesShutdown(asyncio.Protocol):
    """Mixed into a protocol of uvicorn: begins the application's `Shutdown` as soon as the server shuts down."""

    def shutdown(self) -> None:
        announced = getattr(self, "app_state", {}).get(SHUTDOWN)
        if isinstance(announced, Shutdown):
            announced.begin()
        super().shutdown()  # type: ignore[misc]


class IgnoresUpgrades(AnnouncesShutdown, HttpToolsProtocol):
    """One connection. Subclasses override `take_head` and `take_end` instead of `on_headers_complete` and
    `on_message_complete`."""

    cycle: Exchange

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self.parse(data)

    def parse(self, data: bytes) -> None:
        """Gives the data to the parser, which starts the requests in it. Refuses what the parser cannot read."""
        try:
            while data:
                data = self._parse(data)
        except httptools.HttpParserError as error:
            self.logger.warning(INVALID)
            self.refuse_invalid(error)

    def refuse_invalid(self, error: httptools.HttpParserError) -> None:
        """Answers that this is not HTTP, and closes the connection. The error's context is what a callback raised."""
        self.send_400_response(INVALID)

    def renew_parser(self) -> None:
        """Makes a parser that expects a request."""
        self.parser = httptools.HttpRequestParser(self)
        # As uvicorn does: data after the last request of a connection is no error.
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def on_headers_complete(self) -> None:
        if not self._has_offer():
            self.take_head()

    def take_head(self) -> None:
        """Starts the request, whose head is complete."""
        if is_absolute(self.url):  # then its host counts, whatever the header says
            others = [header for header in self.headers if header[0] != b"host"]
            self.headers[:] = [(b"host", authority_in(self.url)), *others]
        self._complete_scope()
        self.cycle = self._exchange()
        app = service_unavailable if self._has_too_many_requests() else self.app
        self.tasks.add(self.loop.create_task(self._answer(self.cycle, app)))

    async def _answer(self, cycle: Exchange, app: ASGI3Application) -> None:
        try:
            await cycle.run_asgi(app)
        finally:
            # Not in a callback of the task, for which the loop would take another turn.
            self.tasks.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    def on_body(self, body: bytes) -> None:
        if not self.cycle.response_complete:
            self.cycle.take(body)

    def on_message_complete(self) -> None:
        if not self._has_offer():
            self.take_end()

    def take_end(self) -> None:
        """Notes that the request has arrived as a whole."""
        super().on_message_complete()

    def _complete_scope(self) -> None:
        """Adds the request line to what `on_message_begin` has put into the scope."""
        parsed = httptools.parse_url(self.url)
        path = parsed.path.decode("ascii")
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self.scope["http_version"] = self.parser.get_http_version()
        self.scope["path"] = self.root_path + (unquote(path) if "%" in path else path)
        self.scope["raw_path"] = self.root_path.encode("ascii") + parsed.path
        self.scope["query_string"] = parsed.query or b""

    def _exchange(self) -> Exchange:
        return Exchange(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=self.scope["http_version"] != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )

    def _has_too_many_requests(self) -> bool:
        """Whether uvicorn's option `--limit-concurrency` is exceeded."""
        most = self.limit_concurrency
        return most is not None and (len(self.connections) >= most or len(self.tasks) >= most)

    def _parse(self, data: bytes) -> bytes:
        """Parses the data. After an offer to upgrade, returns what is left to parse."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self.parser.get_method() == b"CONNECT":
                self.cycle.keep_alive = False
                return b""
            head = self._head_without_offer()
            self.renew_parser()
            self.parser.feed_data(head)
            return data[upgrade.args[0] :]
        return b""

    def _has_offer(self) -> bool:
        return bool(self.parser.should_upgrade()) and self.parser.get_method() != b"CONNECT"

    def _should_upgrade(self) -> bool:
        return False

    def _head_without_offer(self) -> bytes:
        version = self.parser.get_http_version().encode("ascii")
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

"""A reverse proxy as in examples/nginx.conf: it makes QuickThumb a part of the application's site."""

import contextlib
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWER_SECONDS = 60.0
OF_THE_CONNECTION = ("connection", "transfer-encoding", "date", "server")


@contextlib.contextmanager
def reverse_proxy(application: str, quickthumb: str) -> Iterator[str]:
    """Passes uploads on to QuickThumb and all else to the application; gives the URL of the site."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            if self.path == "/favicon.ico":  # which every browser asks for, and no example has
                self.send_response_only(204)
                self.end_headers()
            else:
                self.pass_on()

        def pass_on(self) -> None:
            target = quickthumb if self.path == "/images/" else application
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            connection = HTTPConnection(target.removeprefix("http://"), timeout=ANSWER_SECONDS)
            with contextlib.closing(connection):
                connection.request(self.command, self.path, body, dict(self.headers))  # with the Host of the browser
                response = connection.getresponse()
                self.send_response_only(response.status)
                for name, value in response.getheaders():
                    if name.lower() not in OF_THE_CONNECTION:
                        self.send_header(name, value)
                self.end_headers()
                self.wfile.write(response.read())

        do_GET = do_POST = answer  # noqa: N815 - the library's names

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()

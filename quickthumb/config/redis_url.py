"""Reads the URL of a Redis. redis-py's own parser is the base; here, no option is dropped in silence."""

import difflib
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from redis.asyncio.connection import SSLConnection, UnixDomainSocketConnection, parse_url

SCHEMES = ("redis", "rediss", "unix")
FEWEST_CONNECTIONS = 4
WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
TLS_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def connection_options(url: str) -> dict[str, Any]:
    """What redis-py's connection pool needs to connect to `url`, with `connection_class` among it.

    TLS checks the certificate and the host name unless the URL says otherwise. Raises ValueError, with a sentence that
    does not contain the URL, for anything that cannot be honoured.
    """
    parts, asked = _taken_apart(url)
    options: dict[str, Any] = {**parse_url(url), **asked}
    is_socket = options.get("connection_class") is UnixDomainSocketConnection
    if is_socket and "socket_keepalive" in options:
        raise ValueError("the option socket_keepalive is only for redis:// and rediss://")
    if parts.scheme == "rediss":
        options["connection_class"] = SSLConnection
        _complete_tls(options)
    elif any(name.startswith("ssl_") for name in options):
        raise ValueError("options that begin with ssl_ need a URL that begins with rediss://")
    return options


def place_of(options: Mapping[str, Any]) -> str:
    """Which Redis it is, for a log: `host:port/database` or the path of the socket. Without the password."""
    database = options.get("db", 0)
    if "path" in options:
        return f"{options['path']}" + (f", database {database}" if database else "")
    host, port = options.get("host", "localhost"), options.get("port", 6379)
    return f"[{host}]:{port}/{database}" if ":" in host else f"{host}:{port}/{database}"


def _taken_apart(url: str) -> tuple[SplitResult, dict[str, Any]]:
    """The parts of the URL, and the options in its query, each in its own type."""
    try:
        parts = urlsplit(url)
        port = parts.port
        query = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        database = int(parts.path.strip("/") or 0) if parts.scheme != "unix" else 0
    except ValueError:
        raise ValueError(
            "the port and the database must be whole numbers, and special characters in a password %-encoded"
        ) from None
    if parts.scheme not in SCHEMES:
        raise ValueError("must begin with redis://, rediss:// or unix://")
    if parts.fragment or port == 0 or database < 0:
        raise ValueError(
            "the port and the database must be whole numbers, and special characters in a password %-encoded"
        )
    asked: dict[str, Any] = {}
    for name, value in query:
        if name in asked:
            raise ValueError(f"the option {name} is there twice")
        asked[name] = _value(name, value)
    return parts, asked


def _value(name: str, text: str) -> Any:
    read = OPTIONS.get(name)
    if read is None:
        nearest = difflib.get_close_matches(name, OPTIONS, n=1)
        suggestion = f"; did you mean {nearest[0]}?" if nearest else ""
        raise ValueError(NOT_HONOURED.get(name, f"{name} is not an option of a Redis URL{suggestion}"))
    try:
        if not text:
            raise ValueError("must have a value")
        return read(text)
    except ValueError as error:
        raise ValueError(f"the option {name} {error}") from None


def _complete_tls(options: dict[str, Any]) -> None:
    checks = options.get("ssl_cert_reqs", "required") != "none"
    if not checks and options.get("ssl_check_hostname"):
        raise ValueError("ssl_check_hostname=true contradicts ssl_cert_reqs=none")
    options.setdefault("ssl_check_hostname", checks)
    if ("ssl_certfile" in options) != ("ssl_keyfile" in options):
        raise ValueError("the options ssl_certfile and ssl_keyfile go together")


def _truth(text: str) -> bool:
    if text.lower() not in WORDS:
        raise ValueError("must be true or false")
    return WORDS[text.lower()]


def _seconds(text: str) -> float:
    return float(_number(text, float, 0.001, "must be a number of seconds above 0"))


def _number(text: str, kind: Callable[[str], Any], least: float, sentence: str) -> Any:
    try:
        if (number := kind(text)) >= least:
            return number
    except ValueError:
        pass
    raise ValueError(sentence)


def _whole(least: int) -> Callable[[str], int]:
    return lambda text: int(_number(text, int, least, f"must be a whole number, {least} or more"))


def _file(text: str) -> str:
    if not Path(text).is_file():
        raise ValueError(f"names a file that is not there: {text}")
    return text


def _certificate_check(text: str) -> str:
    """Celery and some hosters write CERT_NONE, redis-py writes none."""
    word = text.lower().removeprefix("cert_")
    if word not in ("none", "optional", "required"):
        raise ValueError("must be none, optional or required")
    return word


def _tls_version(text: str) -> ssl.TLSVersion:
    number = text.lower().removeprefix("tlsv").replace("_", ".")
    if number not in TLS_VERSIONS:
        raise ValueError("must be 1.2 or 1.3")
    return TLS_VERSIONS[number]


def _protocol(text: str) -> int:
    if text != "2":
        raise ValueError("must be 2, the only protocol that QuickThumb speaks")
    return 2


OPTIONS: dict[str, Callable[[str], Any]] = {
    "db": _whole(0),
    "username": str,
    "password": str,
    "protocol": _protocol,
    "client_name": str,
    "lib_name": str,
    "lib_version": str,
    "socket_timeout": _seconds,
    "socket_connect_timeout": _seconds,
    "socket_keepalive": _truth,
    "health_check_interval": _whole(0),
    "max_connections": _whole(FEWEST_CONNECTIONS),
    "ssl_keyfile": _file,
    "ssl_certfile": _file,
    "ssl_ca_certs": _file,
    "ssl_ca_data": str,
    "ssl_cert_reqs": _certificate_check,
    "ssl_check_hostname": _truth,
    "ssl_min_version": _tls_version,
    "ssl_ciphers": str,
}

NOT_HONOURED = {
    "timeout": "the option timeout is not for QuickThumb; use socket_timeout",
    "retry_on_timeout": "the option retry_on_timeout is not for QuickThumb, which always retries",
    "decode_responses": "the option decode_responses is not for QuickThumb, which reads bytes",
    "encoding": "the option encoding is not for QuickThumb, which reads bytes",
    "encoding_errors": "the option encoding_errors is not for QuickThumb, which reads bytes",
    "socket_read_size": "the option socket_read_size is not for QuickThumb",
}

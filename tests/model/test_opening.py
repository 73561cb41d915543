"""What operators open to outbound requests: hosts, networks, and patterns for URLs."""

import ipaddress

import pytest

from quickthumb.config import Config, ConfigError, load
from quickthumb.model.opening import Opening, UrlPattern


@pytest.mark.parametrize(
    ("entry", "host", "port", "is_open"),
    [
        ("minio", "minio", 80, True),
        ("minio", "minio", 443, True),
        ("minio", "minio", 9000, False),
        ("minio:9000", "minio", 9000, True),
        ("minio:9000", "minio", 80, False),
        ("MinIO", "minio", 80, True),
        ("*.example.org", "a.example.org", 80, True),
        ("*.example.org", "a.b.example.org", 443, True),
        ("*.example.org", "example.org", 80, False),
        ("*.example.org", "badexample.org", 80, False),
        ("example.org", "a.example.org", 80, False),
    ],
)
def test_names(entry: str, host: str, port: int, is_open: bool) -> None:
    assert Opening.read(entry).opens_host(host, port) is is_open


@pytest.mark.parametrize(
    ("entry", "address", "port", "is_open"),
    [
        ("10.1.0.0/16", "10.1.2.3", 80, True),
        ("10.1.0.0/16", "10.2.2.3", 80, False),
        ("10.1.0.0/16", "10.1.2.3", 8080, False),
        ("10.1.0.0/16:8080", "10.1.2.3", 8080, True),
        ("127.0.0.1:9", "127.0.0.1", 9, True),
        ("::1", "::1", 80, True),
        ("[::1]:9", "::1", 9, True),
        ("fd00::/8", "fd00::5", 443, True),
        ("10.0.0.0/8", "::ffff:10.0.0.1", 80, False),
    ],
)
def test_addresses(entry: str, address: str, port: int, is_open: bool) -> None:
    assert Opening.read(entry).opens_address(ipaddress.ip_address(address), port) is is_open


@pytest.mark.parametrize("entry", ["*", "*.", "a:b", "a:0", "a:70000", "http://a", "a b", "a/b", "*.*.org", "", "é"])
def test_an_entry_that_is_no_host(entry: str) -> None:
    with pytest.raises(ValueError, match=r"no "):
        Opening.read(entry)


@pytest.mark.parametrize(
    ("pattern", "url", "matches"),
    [
        ("https://images.example.org/*", "https images.example.org 443 /a/b.jpg", True),
        ("https://images.example.org", "https images.example.org 443 /a/b.jpg", True),
        ("https://images.example.org/*", "http images.example.org 80 /a/b.jpg", False),
        ("https://images.example.org/*", "https images.example.org 8443 /a/b.jpg", False),
        ("https://images.example.org:8443/*", "https images.example.org 8443 /a/b.jpg", True),
        ("https://images.example.org/*", "https images.example.org.evil.test 443 /", False),
        ("https://*.example.org/photos/*", "https a.example.org 443 /photos/1.jpg", True),
        ("https://*.example.org/photos/*", "https a.example.org 443 /other/1.jpg", False),
        ("https://*.example.org/photos/*", "https a.example.org 443 /photos/../other/1.jpg", False),
        ("https://*.example.org/photos/*", "https a.example.org 443 /photos/%2e%2e/other/1.jpg", False),
        ("https://*.example.org/photos/*", "https a.example.org 443 /photos/..%2fother/1.jpg", False),
        ("https://*.example.org/photos/*", "https a.example.org 443 /photos/%252e%252e/other/1.jpg", False),
        ("https://*.example.org/photos/*", "https a.example.org 443 /photos/..%5cother/1.jpg", False),
        ("https://*.example.org/photos/*", "https a.example.org 443 /photos/100%25%20a%2Fb.jpg", True),
        ("https://*.example.org/*.jpg", "https a.example.org 443 /x.php", False),
        ("https://*/*", "https anything.test 443 /", True),
        ("https://images.example.org/a+b(c)/*", "https images.example.org 443 /a+b(c)/d", True),
        ("http://[::1]:81/*", "http ::1 81 /d", True),
    ],
)
def test_patterns(pattern: str, url: str, matches: bool) -> None:
    scheme, host, port, path = url.split(" ")
    assert UrlPattern.read(pattern).matches(scheme, host, int(port), path) is matches


@pytest.mark.parametrize(
    "pattern",
    [
        "*",
        "images.example.org/*",
        "ftp://a/*",
        "https://a/*?x",
        "https://u@a/",
        "https:///x",
        "https://a:0/",
        "https://*a/",
    ],
)
def test_a_pattern_that_cannot_be_read(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        UrlPattern.read(pattern)


def test_nothing_is_open_by_default() -> None:
    assert not Config().outbound.openings
    assert not Config().outbound.url_patterns


@pytest.mark.parametrize("name", ["OUTBOUND_ALLOWED", "URL_ALLOWED"])
def test_a_setting_that_cannot_be_read_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        load({f"QUICKTHUMB_{name}": "good.example.org, *", "QUICKTHUMB_SETTINGS": "/dev/null"})

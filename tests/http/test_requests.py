from dataclasses import replace

import pytest
from starlette.requests import Request

from quickthumb.http.requests import caller_of, prefers
from quickthumb.model.caller import ANONYMOUS


@pytest.mark.parametrize(
    ("client", "address"), [(("192.0.2.1", 50_000), "192.0.2.1"), (None, None), (("", 0), None)], ids=str
)
def test_without_api_keys_the_caller_is_anonymous_and_has_the_client_s_address(
    client: tuple[str, int] | None, address: str | None
) -> None:
    request = Request({"type": "http", "client": client, "headers": []})
    assert caller_of(request) == replace(ANONYMOUS, address=address)


@pytest.mark.parametrize(
    "accept",
    [
        "image/*",
        "image/png",
        "IMAGE/*",
        "image/*, */*",
        "image/*, application/json;q=0.9",
        "application/json;q=0.5, image/png",
        "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8",
        "image/*;q=0.1",
        "text/html, image/png ; q=0.2",
        "*/*, application/json;q=0.1",
    ],
)
def test_the_picture_is_asked_for(accept: str) -> None:
    assert prefers(accept, "image/png", over="application/json")


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "",
        "*/*",
        "application/json",
        "application/*",
        "image/*;q=0",
        "image/*;q=0.5, application/json",
        "image/*, application/json",
        "image/*, image/png;q=0, */*;q=0.1",
        "image/jpeg",
        "text/html",
        "*/*;q=0.8, image/*;q=0.7",
        "image/*;q=high",
        ",;,",
    ],
)
def test_it_is_not(accept: str | None) -> None:
    assert not prefers(accept, "image/png", over="application/json")

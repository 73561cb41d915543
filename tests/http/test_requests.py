import pytest

from quickthumb.http.requests import prefers


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

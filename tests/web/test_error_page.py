"""The page that explains every error."""

import re

import httpx

from quickthumb.http.urls import Urls
from quickthumb.model.errors import catalogue
from quickthumb.web.error_page import error_page
from tests.conftest import CHECKOUT
from tests.web.conftest import refusal


async def test_the_page_explains_every_error_in_the_docs(waiting: httpx.AsyncClient) -> None:
    answer = await waiting.get("/docs/errors")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "script" not in policy
    listed = re.findall(r"^\| \d{3} \| `(\w+)` \|", (CHECKOUT / "docs" / "http.md").read_text(), re.MULTILINE)
    assert re.findall(r'<section id="(\w+)">', answer.text) == listed
    for url in re.findall(r'href="([^"]+)"', answer.text):
        assert (await waiting.get(url)).status_code == 200


def test_every_error_has_an_explanation() -> None:
    assert [kind.code for kind in catalogue() if not kind.__doc__ and kind.__module__.startswith("quickthumb.")] == []


def test_explanations_are_text_not_html() -> None:
    page = error_page(Urls('/a"<b>'))
    assert "<b>" not in page
    assert "The image has more pixels than <code>MAX_PIXELS</code>." in page


async def test_the_type_of_a_problem_is_a_place_on_the_page(waiting: httpx.AsyncClient) -> None:
    answer = await waiting.get("/jobs/x")
    assert refusal(answer).code == "unknown_job"
    assert answer.json()["type"] == "/docs/errors#unknown_job"
    assert '<section id="unknown_job">' in (await waiting.get(answer.json()["type"])).text

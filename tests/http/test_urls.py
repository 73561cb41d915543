import pytest
from starlette.datastructures import URL

from quickthumb.http.urls import Urls


@pytest.mark.parametrize("base", ["", "/thumbs", "https://images.example.com"])
def test_every_url_has_the_base_in_front(base: str) -> None:
    urls = Urls(base)
    page = URL("http://test/jobs?limit=2&status=DONE&cursor=5:x")
    assert [
        urls.job("1"),
        urls.original("1"),
        urls.result("1", "thumbnail"),
        urls.next_page(page, "7:y"),
        urls.docs(),
        urls.task("1"),
        urls.processed("1"),
    ] == [
        f"{base}/jobs/1",
        f"{base}/jobs/1/original",
        f"{base}/jobs/1/results/thumbnail",
        f"{base}/jobs?limit=2&status=DONE&cursor=7%3Ay",
        f"{base}/docs",
        f"{base}/tasks/1",
        f"{base}/processed/1",
    ]

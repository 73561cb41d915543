"""Builds every URL in a response: links, `Location`, `Link`, the next page. No other module builds URLs."""

from dataclasses import dataclass

from starlette.datastructures import URL
from starlette.requests import Request


@dataclass(frozen=True, slots=True)
class Urls:
    """The URLs of this service's resources. `base` goes in front of each path."""

    base: str = ""

    def job(self, job_id: str) -> str:
        return f"{self.base}/jobs/{job_id}"

    def original(self, job_id: str) -> str:
        return f"{self.job(job_id)}/original"

    def result(self, job_id: str, name: str) -> str:
        return f"{self.job(job_id)}/results/{name}"

    def next_page(self, this_page: URL, cursor: str) -> str:
        """The page that begins at `cursor`; its other query parameters are those of this page."""
        following = this_page.include_query_params(cursor=cursor).replace(scheme="", netloc="")
        return f"{self.base}{following}"

    def docs(self) -> str:
        return f"{self.base}/docs"

    def task(self, task_id: str) -> str:
        """A task of the Image Resizer."""
        return f"{self.base}/tasks/{task_id}"

    def processed(self, task_id: str) -> str:
        """A file of the image pipeline."""
        return f"{self.base}/processed/{task_id}"


def urls_of(request: Request) -> Urls:
    """The URLs for the client of this request: paths without a host, so they work on the host that the client used."""
    return Urls()

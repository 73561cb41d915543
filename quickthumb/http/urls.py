"""Every URL that an answer names: links, `Location`, `Link`, the next page. They are made here and nowhere else."""

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
        """The page behind `cursor`, with everything else that this page was asked with."""
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
    """The URLs as this request's client can open them: paths on the host that it asked."""
    return Urls()

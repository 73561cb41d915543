"""Builds every URL in a response: links, `Location`, `Link`, the next page, the docs. No other module builds URLs."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import quote

from starlette.datastructures import URL
from starlette.requests import Request
from starlette.types import Scope

from quickthumb.http.requests import ACTS_FOR
from quickthumb.model.caller import EVERY_TENANT


@dataclass(frozen=True, slots=True)
class Urls:
    """The URLs of this service's resources. `base` goes in front of each path."""

    base: str = ""
    # What is done to the path of a file, or of a job or batch, before it is shown: it may be signed, or name a tenant.
    of_file: Callable[[str], str] = str
    of_job: Callable[[str], str] = str

    @property
    def are_signed(self) -> bool:
        """Whether those of files are not the same for everybody."""
        return self.of_file is not str

    def job(self, job_id: str) -> str:
        return self.of_job(f"{self.base}/jobs/{job_id}")

    def events(self, job_id: str) -> str:
        return self.of_job(f"{self.base}/jobs/{job_id}/events")

    def original(self, job_id: str) -> str:
        return self.of_file(f"{self.base}/jobs/{job_id}/original")

    def result(self, job_id: str, name: str) -> str:
        return self.of_file(f"{self.base}/jobs/{job_id}/results/{name}")

    def batch(self, batch_id: str) -> str:
        return self.of_job(f"{self.base}/batches/{batch_id}")

    def batch_page(self, batch_id: str, cursor: str, limit: int) -> str:
        """The images of a batch after those that `cursor` names."""
        return self.of_job(f"{self.base}/batches/{batch_id}?limit={limit}&cursor={cursor}")

    def batch_events(self, batch_id: str) -> str:
        return self.of_job(f"{self.base}/batches/{batch_id}/events")

    def batch_results(self, batch_id: str) -> str:
        return self.of_job(f"{self.base}/batches/{batch_id}/results.zip")

    def next_page(self, this_page: URL, cursor: str) -> str:
        """The page that begins at `cursor`; its other query parameters are those of this page."""
        return f"{self.base}/jobs?{this_page.include_query_params(cursor=cursor).query}"

    def of_tenant(self, tenant: str) -> "Urls":
        """These URLs for the operator, who acts for this tenant with each. Signed ones name none."""
        naming = partial(_naming, tenant)
        return replace(self, of_job=naming, of_file=self.of_file if self.are_signed else naming)

    def next_deliveries(self, this_page: URL, cursor: str) -> str:
        """The next page of deliveries, in the same way."""
        path = "/".join(this_page.path.split("/")[-3:])
        return f"{self.base}/{path}?{this_page.include_query_params(cursor=cursor).query}"

    def docs(self) -> str:
        return f"{self.base}/docs"

    def asset(self, path: str) -> str:
        """A file that the docs need."""
        return f"{self.docs()}/assets/{path}"

    def app_assets(self, version: str) -> str:
        """The folder of the files that the pages for people need."""
        return f"{self.base}/assets/{version}"

    def error(self, code: str) -> str:
        """Where the page about errors explains this one."""
        return f"{self.docs()}/errors#{code}"

    def task(self, task_id: str) -> str:
        """A task of the Image Resizer."""
        return f"{self.base}/tasks/{task_id}"

    def processed(self, task_id: str) -> str:
        """A file of the image pipeline."""
        return f"{self.base}/processed/{task_id}"


def urls_of(request: Request) -> Urls:
    """The URLs for the client of this request."""
    return urls_in(request.scope)


def urls_in(scope: Scope) -> Urls:
    """The URLs for a client: paths without a host, so they work on the host that the client used.

    They begin with the path prefix of the deployment, if it has one (`web/middleware/root_path.py`).
    """
    root_path = scope.get("app_root_path", scope.get("root_path", ""))
    urls = Urls(quote(root_path)) if root_path else NO_PREFIX
    acts_for: str | None = scope.get(ACTS_FOR)
    return urls if acts_for in (None, EVERY_TENANT) else urls.of_tenant(acts_for)


def _naming(tenant: str, path: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}tenant={tenant}"


NO_PREFIX = Urls()

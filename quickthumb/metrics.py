"""Prometheus metrics of a web process: its own counters and, from Redis at each scrape, the numbers of all jobs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class JobNumbers:
    """The state of all jobs, for one scrape. `attempts` counts finished attempts by the status they led to."""

    jobs: Mapping[str, int]
    queued: int
    workers: int
    attempts: Mapping[str, int]
    busy_seconds: float


class WebMetrics:
    """The counters of one web process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "quickthumb_http_requests", "Requests answered.", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "quickthumb_http_request_seconds",
            "Time from the request head to the end of the response.",
            ["method", "route"],
            registry=self._registry,
        )
        self._upload_bytes = Counter("quickthumb_upload_bytes", "Bytes of accepted images.", registry=self._registry)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts one request. `route` is the pattern, not the path, so that ids create no new series."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def accepted(self, upload_bytes: int) -> None:
        """Counts one accepted image."""
        self._upload_bytes.inc(upload_bytes)

    def exposition(self, numbers: JobNumbers | None) -> bytes:
        """The text for Prometheus. If `numbers` is None, because Redis is unavailable, it has no metrics of jobs."""
        text = generate_latest(self._registry)
        if numbers is not None:
            scrape = CollectorRegistry(auto_describe=False)
            scrape.register(_JobCollector(numbers))
            text += generate_latest(scrape)
        return text


class _JobCollector:
    def __init__(self, numbers: JobNumbers) -> None:
        self._numbers = numbers

    def collect(self) -> Iterable[Metric]:
        numbers = self._numbers
        jobs = GaugeMetricFamily("quickthumb_jobs", "Jobs, by status.", labels=["status"])
        for status, count in numbers.jobs.items():
            jobs.add_metric([status], count)
        yield jobs
        yield GaugeMetricFamily("quickthumb_queue_length", "Jobs queued or running.", value=numbers.queued)
        yield GaugeMetricFamily("quickthumb_workers", "Workers alive.", value=numbers.workers)
        attempts = CounterMetricFamily(
            "quickthumb_attempts", "Finished attempts at jobs, by the status they led to.", labels=["status"]
        )
        for status, count in numbers.attempts.items():
            attempts.add_metric([status], count)
        yield attempts
        yield CounterMetricFamily(
            "quickthumb_busy_seconds", "Seconds that workers spent on attempts.", value=numbers.busy_seconds
        )

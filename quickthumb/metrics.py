"""Prometheus metrics of a web process: its own counters and, read at each scrape, the numbers of all jobs.

A tenant sees the numbers of its own jobs, and nothing of the process.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# prometheus_client reads this variable when it is imported.
MULTIPROCESS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


class Durations(Protocol):
    """A histogram: for each upper bound in seconds how many durations do not exceed it, how many there are at all, and
    their sum in seconds."""

    @property
    def buckets(self) -> Sequence[tuple[float, int]]: ...

    @property
    def count(self) -> int: ...

    @property
    def total_seconds(self) -> float: ...


@dataclass(frozen=True, slots=True)
class JobNumbers:
    """The state of all jobs, for one scrape. `attempts` counts finished attempts by the status they led to, `failures`
    the FAILED jobs by the code of the error; `waits` are the times that jobs waited for their first attempt,
    `attempt_times` the times that attempts took. `deliveries` to webhooks have not ended, and `delivered` counts those
    that have by their status."""

    jobs: Mapping[str, int]
    queued: int
    oldest_waiting_seconds: float
    workers: int
    attempts: Mapping[str, int]
    busy_seconds: float
    failures: Mapping[str, int]
    waits: Durations
    attempt_times: Durations
    deliveries: int = 0
    delivered: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TenantNumbers:
    """The state of one tenant's jobs, for one scrape. `attempts` counts as in JobNumbers; `accepted` images and their
    bytes are counted from the tenant's first job on."""

    jobs: Mapping[str, int]
    oldest_waiting_seconds: float
    attempts: Mapping[str, int]
    accepted: int
    accepted_bytes: int


NO_TENANTS: Mapping[str, TenantNumbers] = {}


def exposition_for_tenants(numbers: Mapping[str, TenantNumbers] | None) -> bytes:
    """The text for Prometheus that has only the numbers of these tenants; None if Redis is unavailable."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_RedisCollector(numbers is not None))
    registry.register(_TenantCollector(numbers or NO_TENANTS))
    return generate_latest(registry)


class WebMetrics:
    """The counters of a web process. Web processes that share a folder, named by the variable MULTIPROCESS_FOLDER, show
    the sums of their counters.

    The folder must exist and be empty when the first of them starts.
    """

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
        self._refusals = Counter(
            "quickthumb_quota_refusals", "Requests refused because of a quota.", ["quota"], registry=self._registry
        )
        # There are only so many series, and to find one by its labels costs more than to count.
        self._requests_of = lru_cache(maxsize=1024)(self._requests.labels)
        self._seconds_of = lru_cache(maxsize=1024)(self._seconds.labels)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Counts one request. `route` is the pattern, not the path, so that ids create no new series."""
        self._requests_of(method, route, status).inc()
        self._seconds_of(method, route).observe(seconds)

    def accepted(self, upload_bytes: int) -> None:
        """Counts one accepted image."""
        self._upload_bytes.inc(upload_bytes)

    def refused(self, quotas: Iterable[str]) -> None:
        """Counts one refusal for each of the quotas by name, which are few."""
        for quota in quotas:
            self._refusals.labels(quota).inc()

    def exposition(
        self,
        numbers: JobNumbers | None,
        storage_probe_seconds: float | None,
        tenants: Mapping[str, TenantNumbers] = NO_TENANTS,
    ) -> bytes:
        """The text for Prometheus. `numbers` is None if Redis is unavailable; then it has no metrics of jobs.
        `storage_probe_seconds` is None if the storage is not usable. `tenants` are those to be shown one by one."""
        shared = CollectorRegistry(auto_describe=False)
        shared.register(_RedisCollector(numbers is not None))
        shared.register(_StorageCollector(storage_probe_seconds))
        if numbers is not None:
            shared.register(_JobCollector(numbers))
            shared.register(_TenantCollector(tenants))
        return generate_latest(self._counters()) + generate_latest(shared)

    def _counters(self) -> CollectorRegistry:
        if MULTIPROCESS_FOLDER not in os.environ:
            return self._registry
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return registry


class _RedisCollector:
    def __init__(self, is_up: bool) -> None:
        self._is_up = is_up

    def collect(self) -> Iterable[Metric]:
        yield GaugeMetricFamily("quickthumb_redis_up", "1 if Redis answers, else 0.", value=self._is_up)


class _StorageCollector:
    def __init__(self, probe_seconds: float | None) -> None:
        self._probe_seconds = probe_seconds

    def collect(self) -> Iterable[Metric]:
        seconds = self._probe_seconds
        yield GaugeMetricFamily(
            "quickthumb_storage_up", "1 if the storage takes writes and has room, else 0.", value=seconds is not None
        )
        if seconds is not None:
            yield GaugeMetricFamily(
                "quickthumb_storage_probe_seconds", "Time that a small write to the storage took.", value=seconds
            )


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
        yield GaugeMetricFamily(
            "quickthumb_oldest_waiting_seconds",
            "How long the oldest job has waited that is WAITING and due; 0 if there is none.",
            value=numbers.oldest_waiting_seconds,
        )
        yield GaugeMetricFamily("quickthumb_workers", "Workers alive.", value=numbers.workers)
        attempts = CounterMetricFamily(
            "quickthumb_attempts", "Finished attempts at jobs, by the status they led to.", labels=["status"]
        )
        for status, count in numbers.attempts.items():
            attempts.add_metric([status], count)
        yield attempts
        failures = CounterMetricFamily(
            "quickthumb_failures", "Jobs that FAILED, by the code of the error.", labels=["code"]
        )
        for code, count in numbers.failures.items():
            failures.add_metric([code], count)
        yield failures
        yield CounterMetricFamily(
            "quickthumb_busy_seconds", "Seconds that workers spent on attempts.", value=numbers.busy_seconds
        )
        yield _histogram("quickthumb_job_wait_seconds", "Time that jobs waited for their first attempt.", numbers.waits)
        yield _histogram("quickthumb_attempt_seconds", "Time that attempts at jobs took.", numbers.attempt_times)
        yield GaugeMetricFamily(
            "quickthumb_webhook_backlog", "Deliveries to webhooks that have not ended.", value=numbers.deliveries
        )
        delivered = CounterMetricFamily(
            "quickthumb_webhook_deliveries", "Deliveries to webhooks that ended, by status.", labels=["status"]
        )
        for status, count in numbers.delivered.items():
            delivered.add_metric([status], count)
        yield delivered


class _TenantCollector:
    def __init__(self, numbers: Mapping[str, TenantNumbers]) -> None:
        self._numbers = numbers

    def collect(self) -> Iterable[Metric]:
        labels = ["tenant"]
        jobs = GaugeMetricFamily("quickthumb_tenant_jobs", "A tenant's jobs, by status.", labels=[*labels, "status"])
        oldest = GaugeMetricFamily(
            "quickthumb_tenant_oldest_waiting_seconds",
            "Age of the tenant's oldest job that is WAITING; 0 if there is none.",
            labels=labels,
        )
        attempts = CounterMetricFamily(
            "quickthumb_tenant_attempts", "Finished attempts at a tenant's jobs, by status.", labels=[*labels, "status"]
        )
        images = CounterMetricFamily("quickthumb_tenant_images", "Images accepted from a tenant.", labels=labels)
        size = CounterMetricFamily("quickthumb_tenant_upload_bytes", "Bytes of these images.", labels=labels)
        for tenant, numbers in self._numbers.items():
            for status, count in numbers.jobs.items():
                jobs.add_metric([tenant, status], count)
            for status, count in numbers.attempts.items():
                attempts.add_metric([tenant, status], count)
            oldest.add_metric([tenant], numbers.oldest_waiting_seconds)
            images.add_metric([tenant], numbers.accepted)
            size.add_metric([tenant], numbers.accepted_bytes)
        if self._numbers:
            yield from (jobs, oldest, attempts, images, size)


def _histogram(name: str, meaning: str, durations: Durations) -> Metric:
    buckets = [(str(bound), float(count)) for bound, count in durations.buckets]
    return HistogramMetricFamily(
        name, meaning, buckets=[*buckets, ("+Inf", durations.count)], sum_value=durations.total_seconds
    )

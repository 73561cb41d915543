"""For operators: `/stats` and `/stats/history`, the numbers of the queue and the jobs, now and over time."""

from datetime import UTC, datetime
from typing import Self

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from quickthumb.http.endpoints import json_answer
from quickthumb.http.requests import caller_of, deployment_of
from quickthumb.model.errors import InvalidParameter
from quickthumb.model.job import Status
from quickthumb.queue.history import SPANS, Span
from quickthumb.service.stats import Point, Times, Window
from quickthumb.web.presentation import Moment

SPAN = "span"
SPANS_BY_NAME = {span.name: span for span in SPANS}
FRESH = {"Cache-Control": "no-store"}


class TimesView(BaseModel):
    """The median and the 95th percentile in seconds, estimated from a histogram; null if there is none."""

    p50: float | None = Field(examples=[0.012])
    p95: float | None = Field(examples=[0.048])

    @classmethod
    def of(cls, times: Times) -> Self:
        return cls(p50=rounded(times.p50), p95=rounded(times.p95))


class WindowView(BaseModel):
    """What happened in the last `seconds`: less than the name says if workers have not run for so long."""

    seconds: float = Field(examples=[3600.0])
    done: int = Field(description="Jobs that ended DONE.", examples=[5210])
    failed: int = Field(description="Jobs that ended FAILED.", examples=[3])
    jobs_per_second: float = Field(description="Jobs that ended, per second.", examples=[1.45])
    waiting_seconds: TimesView = Field(description="How long jobs waited for their first attempt.")
    working_seconds: TimesView = Field(description="How long attempts took.")
    failures: dict[str, int] = Field(description="FAILED jobs by the code of the error.", examples=[{"gave_up": 3}])

    @classmethod
    def of(cls, window: Window) -> Self:
        return cls(
            seconds=round(window.seconds, 3),
            done=window.ended[Status.DONE],
            failed=window.ended[Status.FAILED],
            jobs_per_second=round(window.per_second, 3),
            waiting_seconds=TimesView.of(window.waiting),
            working_seconds=TimesView.of(window.working),
            failures=dict(window.failures),
        )


class StatsView(BaseModel):
    """How busy the service is, and has been."""

    jobs: dict[str, int] = Field(description="Kept jobs by status.", examples=[{"WAITING": 12, "DONE": 5210}])
    queued: int = Field(description="Jobs and emails that wait or run.", examples=[14])
    oldest_waiting_seconds: float = Field(description="Age of the oldest WAITING job; 0 if there is none.")
    workers: int = Field(description="Workers that take jobs.", examples=[2])
    hour: WindowView
    day: WindowView
    week: WindowView


class PointView(BaseModel):
    """One point of a chart: what happened in the `seconds` before `at`, and how the queue was then. What only later
    releases counted is null."""

    at: Moment
    seconds: float = Field(
        description="Time since the previous point; longer than a slot after a gap.", examples=[60.02]
    )
    done: int = Field(description="Jobs that ended DONE.", examples=[87])
    failed: int = Field(description="Jobs that ended FAILED.", examples=[0])
    jobs_per_second: float = Field(description="Jobs that ended, per second.", examples=[1.45])
    waiting_p50: float | None = Field(description="Median of how long jobs waited for their first attempt, in seconds.")
    waiting_p95: float | None = Field(description="The 95th percentile of that; null if no job began.")
    working_p50: float | None = Field(description="Median of how long attempts took, in seconds.")
    working_p95: float | None = Field(description="The 95th percentile of that; null if no attempt ended.")
    queued: int | None = Field(description="Jobs and emails that waited or ran.", examples=[14])
    waiting: int | None = Field(description="WAITING jobs.", examples=[12])
    oldest_waiting_seconds: float | None = Field(description="Age of the oldest WAITING job; 0 if there was none.")
    workers: int | None = Field(description="Workers that took jobs.", examples=[2])

    @classmethod
    def of(cls, point: Point) -> Self:
        window, gauges = point.window, point.gauges
        return cls(
            at=moment(point.at),
            seconds=round(window.seconds, 3),
            done=window.ended[Status.DONE],
            failed=window.ended[Status.FAILED],
            jobs_per_second=round(window.per_second, 3),
            waiting_p50=rounded(window.waiting.p50),
            waiting_p95=rounded(window.waiting.p95),
            working_p50=rounded(window.working.p50),
            working_p95=rounded(window.working.p95),
            queued=gauges and gauges.queued,
            waiting=gauges and gauges.waiting,
            oldest_waiting_seconds=gauges and rounded(gauges.oldest_waiting_seconds),
            workers=gauges and gauges.workers,
        )


class HistoryView(BaseModel):
    """A chart of the last hour, day or week."""

    span: str = Field(examples=["hour"])
    slot_seconds: int = Field(description="How far apart points are, unless some are missing.", examples=[60])
    points: list[PointView] = Field(description="Oldest first; the last one is the present.")


async def stats(request: Request) -> Response:
    """How many jobs wait and for how long, how many end, how long they wait and take, and why they fail: now, and in
    the last hour, day and week. The history survives restarts, but not the loss of Redis."""
    found = await deployment_of(request).stats(caller_of(request))
    view = StatsView(
        jobs={status.value: count for status, count in found.tally.statuses.items()},
        queued=found.tally.in_line,
        oldest_waiting_seconds=found.tally.oldest_waiting_seconds,
        workers=found.tally.workers,
        **{name: WindowView.of(window) for name, window in found.windows.items()},
    )
    return json_answer(view, headers=FRESH)


async def history(request: Request) -> Response:
    """The numbers of the last hour, day or week as a chart: at most 60, 96 or 84 points, and the last one is of this
    moment. Where no worker ran, points are missing. The history survives restarts, but not the loss of Redis."""
    span = span_asked(request)
    points = await deployment_of(request).points(caller_of(request), span)
    view = HistoryView(span=span.name, slot_seconds=span.slot_seconds, points=list(map(PointView.of, points)))
    return json_answer(view, headers=FRESH)


def span_asked(request: Request) -> Span:
    """The span that the query names; the hour without one. Raises InvalidParameter."""
    asked = request.query_params.get(SPAN, SPANS[0].name)
    span = SPANS_BY_NAME.get(asked)
    if span is None:
        raise InvalidParameter(f"The span is one of {', '.join(SPANS_BY_NAME)}.", field=SPAN)
    return span


def rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 4)


def moment(seconds: float) -> datetime:
    """The moment of a Unix time."""
    return datetime.fromtimestamp(seconds, UTC)

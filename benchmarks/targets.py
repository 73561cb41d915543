"""The targets, each with what was measured and whether it is met."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.figures import difference, ratio, spread, written
from benchmarks.measures.bench import Record
from benchmarks.reading import OURS, TWO_BY_TWO, better, values

Records = Mapping[str, Sequence[Record]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A target in words, what was measured, and whether that meets it."""

    figure: str
    target: str
    measured: str
    is_met: bool

    @property
    def word(self) -> str:
        return "met" if self.is_met else "**not met**"


def verdicts(records: Records) -> list[Verdict]:
    """All targets that this run has figures for."""
    return [verdict for check in CHECKS for verdict in check(records)]


def _against_better(
    measure: str, figure: str, name: str, limit: float, *, higher: bool, photos: Sequence[str] | None = None
) -> Callable[[Records], Iterator[Verdict]]:
    """A ratio to the better peer: at least `limit` if higher is better, else at most."""

    def check(records: Records) -> Iterator[Verdict]:
        taken = records.get(measure, ())
        for photo in dict.fromkeys(one["photo"] for one in taken):
            peer = better(taken, photo, figure, higher=higher)
            ours = values(taken, OURS, photo, figure)
            if peer is None or not ours or (photos is not None and photo not in photos):
                continue
            found = ratio(ours, values(taken, peer, photo, figure))
            is_met = found.median >= limit if higher else found.median <= limit
            target = f"{'≥' if higher else '≤'} {limit:g} × the better of Celery and RQ"
            yield Verdict(f"{name}, {photo}", target, f"{found} × {peer}", is_met)

    return check


def _against_pillow(records: Records) -> Iterator[Verdict]:
    taken = records.get("saturated", ())
    for photo in ("street", "phone"):
        ours, pillow = values(taken, OURS, photo, "cpu_ms_total"), values(taken, "pillow", photo, "cpu_ms_total")
        if ours and pillow:
            found = ratio(ours, pillow)
            yield Verdict(
                f"server CPU per image, {photo}", "≤ 1.35 × the bare Pillow loop", f"{found} ×", found.median <= 1.35
            )


def _idle(records: Records) -> Iterator[Verdict]:
    taken = records.get("idle", ())
    for photo in dict.fromkeys(one["photo"] for one in taken):
        peer, ours = better(taken, photo, "done_p50_ms"), values(taken, OURS, photo, "done_p50_ms")
        if peer is not None and ours:
            found = difference(ours, values(taken, peer, photo, "done_p50_ms"))
            measured = f"{found} ms more than {peer}"
            yield Verdict(f"idle: upload → DONE, {photo}", "≤ the better peer's + 2 ms", measured, found.median <= 2)


def _two_by_two(records: Records) -> Iterator[Verdict]:
    taken = records.get("saturated", ())
    for photo in dict.fromkeys(one["photo"] for one in taken):
        one, two = (values(taken, name, photo, "images_per_second") for name in (OURS, TWO_BY_TWO))
        if one and two:
            found = ratio(two, one)
            busy = spread(values(taken, TWO_BY_TWO, photo, "busy_cores")).median
            measured = f"{found} ×, {written(busy)} cores busy"
            yield Verdict(
                f"`--web 2 --workers 2`, {photo}", "≥ 0.95 × images/s of one each", measured, found.median >= 0.95
            )


def _memory(records: Records) -> Iterator[Verdict]:
    taken = records.get("memory", ())
    if len(taken) >= 5:
        begin, end = (
            sum(one["memory_mb"].get(role, 0) for role in ("web", "worker"))
            for one in (taken[len(taken) // 5 - 1], taken[-1])
        )
        growth = 100 * (end / begin - 1)
        name = f"memory of web and worker over {taken[-1]['images']:,} images"
        measured = f"{growth:+.1f} % ({written(begin)} → {written(end)} MB)"
        yield Verdict(name, "< 5 % growth over the last 80 %", measured, growth < 5)


def _depth(records: Records) -> Iterator[Verdict]:
    taken = [one for one in records.get("depth", ()) if "depth" in one]
    if len(taken) > 1:
        first, last = taken[0], taken[-1]
        for figure, name, sign in (
            ("accept_p50_ms", "accept", 1),
            ("status_p50_ms", "status", 1),
            ("jobs_per_second", "jobs/s", -1),
        ):
            change = 100 * (last[figure] / first[figure] - 1)
            measured = f"{change:+.0f} % ({written(first[figure])} → {written(last[figure])})"
            name = f"{name} with {last['depth']:,} waiting, against {first['depth']:,}"
            yield Verdict(name, "no worse by 20 % or more", measured, sign * change < 20)
        slowest = max(one["list_p50_ms"] for one in taken)
        yield Verdict("first page of `GET /jobs`", "< 10 ms at every depth", f"{written(slowest)} ms", slowest < 10)
    for one in records.get("depth", ()):
        if "records_per_second" in one:
            rate = one["records_per_second"]
            measured = f"{rate:,.0f}/s for {one['records']:,}"
            yield Verdict("rebuilding a wiped Redis", "≥ 5,000 records/s", measured, rate >= 5000)


def _workers(records: Records) -> Iterator[Verdict]:
    taken = records.get("workers", ())
    single = [one["jobs_per_second"] for one in taken if one["workers"] == 1]
    for number in (2, 4):
        several = [one["jobs_per_second"] for one in taken if one["workers"] == number]
        if single and several:
            found = ratio([rate / number for rate in several], single)
            yield Verdict(
                f"{number} workers, 50 ms of waiting per job", "≥ 0.9 of linear", f"{found}", found.median >= 0.9
            )


CHECKS: tuple[Callable[[Records], Iterator[Verdict]], ...] = (
    _against_better("saturated", "images_per_second", "images/s", 1.15, higher=True),
    _against_better("five", "images_per_second", "images/s, five outputs", 2, higher=True),
    _against_pillow,
    _against_better("saturated", "cpu_ms_total", "server CPU per image", 1, higher=False, photos=("flowers",)),
    _against_better("saturated", "upload_p50_ms", "upload p50", 1, higher=False),
    _against_better("saturated", "upload_p99_ms", "upload p99", 0.7, higher=False),
    _idle,
    _two_by_two,
    _memory,
    _depth,
    _workers,
)

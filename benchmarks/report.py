"""The report: Markdown tables from the records of one run, and where it is written."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks import results
from benchmarks.before import before_and_after
from benchmarks.capacity import capacity
from benchmarks.figures import ratio, spread, written
from benchmarks.measures.bench import Record
from benchmarks.plots import plots
from benchmarks.reading import OURS, names, values
from benchmarks.results import Results
from benchmarks.targets import verdicts

CHECKOUT = Path(__file__).resolve().parents[1]
PAGE = CHECKOUT / "docs" / "performance.md"
IMAGES = CHECKOUT / "docs" / "images"
BEGIN, END = "<!-- benchmark -->\n", "<!-- /benchmark -->\n"


def report(run: Results, picture: Callable[[str], str] = lambda name: f"{name}.svg", level: int = 2) -> str:
    """The whole report. `picture` says where a plot is, and `level` is that of the headings."""
    mark = "#" * level
    parts = [head(run)]
    if found := verdicts(run.records):
        rows = [(one.figure, one.target, one.measured, one.word) for one in found]
        parts += [f"{mark} Targets", table(("figure", "target", "measured: median (lowest–highest)", ""), rows)]
    if compared := before_and_after(run.records):
        parts += [f"{mark} Before and after", table(("", "figure", "before", "now", "now ÷ before"), compared)]
    drawn = plots(run.records)
    for name, (title, write) in SECTIONS.items():
        if records := run.records.get(name):
            parts += [f"{mark} {title}"]
            parts += [f"![{plot}]({picture(plot)})" for plot in PLOTS_OF.get(name, ()) if plot in drawn]
            parts.append(write(records))
    if needed := capacity(run):
        parts += [f"{mark} Cores, disk and Redis for a million jobs a day", needed]
    return "\n\n".join(parts) + "\n"


def save(run: Results, place: Path) -> str:
    """Writes results, report and plots beside each other. Returns the report."""
    run.save(place)
    text = report(run, lambda name: f"{place.stem}-{name}.svg")
    place.with_suffix(".md").write_text(text, encoding="utf-8")
    for name, svg in plots(run.records).items():
        place.with_name(f"{place.stem}-{name}.svg").write_text(svg, encoding="utf-8")
    return text


def publish(source: Path) -> None:
    """Puts the report of a run into docs/performance.md, between its marks, and its plots into docs/images."""
    run = results.load(source)
    for name, svg in plots(run.records).items():
        (IMAGES / f"benchmark-{name}.svg").write_text(svg, encoding="utf-8")
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    text = report(run, lambda name: f"images/benchmark-{name}.svg", level=3)
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def head(run: Results) -> str:
    """The machine and the versions in a few lines."""
    machine = run.machine
    day = run.began[:16].replace("T", " ")
    lines = [
        f"Measured on {day} UTC on {machine['cores']} cores ({machine['processor']}), {machine['memory_gb']} GB,",
        f"{machine['system']}, {machine['file_system']}, {run.versions['redis']['server']},",
        f"in {run.options['rounds']} rounds.{_others(run)}{_drawn(run)}",
        "",
    ]
    for name, versions in run.versions.items():
        if name != "redis":
            lines.append(f"- {name}: " + ", ".join(f"{package} {version}" for package, version in versions.items()))
    lines += [f"- left out: {name}: {reason}" for name, reason in run.skipped.items()]
    return "\n".join(lines)


def _others(run: Results) -> str:
    """How much of the machine other programs took meanwhile."""
    cores = [one["others_cores"] for one in run.records.get("saturated", ()) if "others_cores" in one]
    return f" Other programs kept {spread(cores)} cores busy meanwhile." if cores else ""


def _drawn(run: Results) -> str:
    """Which photos are none, since their folder is missing."""
    drawn = run.options.get("drawn")
    return f" Drawn, since the photos are missing: {', '.join(drawn)}." if drawn else ""


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def _busy(records: Sequence[Record]) -> str:
    header = (
        "",
        "images/s",
        "cores busy",
        "CPU ms per image",
        "of which",
        "upload p50 ms",
        "p99 ms",
        "our images/s ÷",
        "our CPU ÷",
    )
    parts = []
    for photo in names(records, "photo"):
        rows = [_busy_row(records, stack, photo) for stack in names(records, "stack")]
        parts += [f"**{photo}**", table(header, [row for row in rows if row])]
    return "\n\n".join(parts)


def _busy_row(records: Sequence[Record], stack: str, photo: str) -> list[str]:
    if not values(records, stack, photo, "cpu_ms_total"):
        return []
    roles = [one["cpu_ms"] for one in records if (one["stack"], one["photo"]) == (stack, photo) and "cpu_ms" in one]
    shares = ", ".join(f"{role} {written(spread([one[role] for one in roles]).median)}" for role in (roles or [{}])[0])
    figures = [_figure(records, stack, photo, name) for name in ("images_per_second", "busy_cores", "cpu_ms_total")]
    times = [_figure(records, stack, photo, name) for name in ("upload_p50_ms", "upload_p99_ms")]
    ratios = [_ours_over(records, stack, photo, name) for name in ("images_per_second", "cpu_ms_total")]
    return [f"`{stack}`", *figures, shares or "–", *times, *ratios]


def _idle(records: Sequence[Record]) -> str:
    rows = [
        [
            photo,
            f"`{stack}`",
            _figure(records, stack, photo, "upload_p50_ms"),
            _figure(records, stack, photo, "done_p50_ms"),
            _ours_over(records, stack, photo, "done_p50_ms"),
        ]
        for photo in names(records, "photo")
        for stack in names(records, "stack")
        if values(records, stack, photo, "done_p50_ms")
    ]
    return table(("", "", "upload p50 ms", "upload → DONE p50 ms", "ours ÷"), rows)


def _work(records: Sequence[Record]) -> str:
    rows = [
        [
            photo,
            f"`{stack}`",
            _figure(records, stack, photo, "images_per_second"),
            _figure(records, stack, photo, "cpu_ms_total"),
        ]
        for photo in names(records, "photo")
        for stack in names(records, "stack")
    ]
    return table(("", "", "images/s", "CPU ms per image"), rows)


def _figure(records: Sequence[Record], stack: str, photo: str, name: str) -> str:
    found = values(records, stack, photo, name)
    return str(spread(found)) if found else "–"


def _ours_over(records: Sequence[Record], stack: str, photo: str, name: str) -> str:
    ours, theirs = values(records, OURS, photo, name), values(records, stack, photo, name)
    return str(ratio(ours, theirs)) if ours and theirs and stack != OURS else "–"


def _memory(records: Sequence[Record]) -> str:
    roles = ("web", "worker", "redis", "supervisor")
    chosen = [one for one in records if round(one["share"] * 20) in (1, 4, 8, 12, 16, 20)]
    rows = [[f"{one['images']:,}", *(written(one["memory_mb"].get(role, 0.0)) for role in roles)] for one in chosen]
    return table(("images", *(f"{role} MB" for role in roles)), rows)


def columns(header: Mapping[str, str]) -> Callable[[Sequence[Record]], str]:
    """A table with a row for each record that has the first of these figures, and a column for each figure."""

    def write(records: Sequence[Record]) -> str:
        taken = [one for one in records if next(iter(header)) in one]
        return table(tuple(header.values()), [[_cell(one[name]) for name in header] for one in taken])

    return write


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {written(number)}" for name, number in value.items())
    if value is None:
        return "–"
    return f"{value:,}" if isinstance(value, int) else written(float(str(value)))


SECTIONS: dict[str, tuple[str, Callable[[Sequence[Record]], str]]] = {
    "saturated": ("Saturated, one output of 128 px", _busy),
    "five": ("Saturated, five outputs", _busy),
    "idle": ("On an idle machine", _idle),
    "work": ("Image work alone", _work),
    "memory": ("Memory", _memory),
    "depth": (
        "With a growing queue",
        columns(
            {
                "depth": "waiting jobs",
                "accept_p50_ms": "accept p50 ms",
                "accept_p99_ms": "p99 ms",
                "status_p50_ms": "status p50 ms",
                "list_p50_ms": "first page p50 ms",
                "jobs_per_second": "jobs/s, one worker",
                "redis_bytes_per_waiting_job": "Redis bytes per waiting job",
                "redis_bytes_per_finished_job": "per finished job",
            }
        ),
    ),
    "workers": ("Several workers", columns({"workers": "workers", "jobs_per_second": "jobs/s"})),
    "watching": (
        "With many clients that poll",
        columns(
            {
                "clients": "clients",
                "polls_per_second": "polls/s",
                "poll_p50_ms": "poll p50 ms",
                "poll_p99_ms": "p99 ms",
                "uploads_per_second": "uploads/s",
                "accept_p50_ms": "accept p50 ms",
                "accept_p99_ms": "accept p99 ms",
                "busy_percent": "% of a core",
            }
        ),
    ),
    "sizes": (
        "Uploads of every size",
        columns(
            {
                "bytes": "bytes",
                "megabytes_per_second": "MB/s",
                "cpu_ms_per_megabyte": "web CPU ms per MB",
                "web_peak_mb": "most memory of the web process so far, MB",
            }
        ),
    ),
}
PLOTS_OF = {
    "saturated": ("rate", "cpu", "upload"),
    "five": ("five",),
    "idle": ("idle",),
    "memory": ("memory",),
    "depth": ("depth",),
}

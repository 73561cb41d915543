"""The report: Markdown tables from the records of one run."""

from collections.abc import Callable, Sequence

from benchmarks.figures import Spread, ratio, spread, written
from benchmarks.measures.bench import Record
from benchmarks.results import Results

OURS = "quickthumb"
BARE = ("pillow", "engine")


def report(results: Results) -> str:
    """The whole report."""
    parts = [head(results)]
    for name, write in SECTIONS.items():
        if records := results.records.get(name):
            parts.append(write(records))
    return "\n\n".join(parts) + "\n"


def head(results: Results) -> str:
    """The machine and the versions in a few lines."""
    machine = results.machine
    lines = [
        f"Measured {results.began[:16].replace('T', ' ')} UTC on {machine['cores']} cores ({machine['processor']}),",
        f"{machine['memory_gb']} GB, {machine['system']}, {machine['file_system']}.",
        f"Load before: {machine['load_at_start']}.",
        "",
    ]
    for name, versions in results.versions.items():
        lines.append(f"- {name}: " + ", ".join(f"{package} {version}" for package, version in versions.items()))
    lines += [f"- left out: {name}: {reason}" for name, reason in results.skipped.items()]
    return "\n".join(lines)


def values(records: Sequence[Record], stack: str, photo: str, figure: str) -> list[float]:
    """One figure of one stack, in the order of the rounds."""
    return [one[figure] for one in records if one["stack"] == stack and one["photo"] == photo and figure in one]


def names(records: Sequence[Record], key: str) -> list[str]:
    """All stacks, or all photos, in the order in which they appear; QuickThumb first."""
    found = list(dict.fromkeys(str(one[key]) for one in records))
    return sorted(found, key=lambda name: name != OURS)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * len(header)]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows])


def busy_section(title: str) -> Callable[[Sequence[Record]], str]:
    """The section of a measure that keeps stacks busy."""

    def write(records: Sequence[Record]) -> str:
        parts = [f"## {title}"]
        for photo in names(records, "photo"):
            stacks = [stack for stack in names(records, "stack") if values(records, stack, photo, "cpu_ms_total")]
            rows = [_busy_row(records, stack, photo) for stack in stacks]
            header = ["", "images/s", "CPU ms per image", "of which", "upload p50 ms", "p99 ms", "images/s ÷", "CPU ÷"]
            parts += [f"### {photo}", table(header, rows)]
        return "\n\n".join(parts)

    return write


def _busy_row(records: Sequence[Record], stack: str, photo: str) -> list[str]:
    def figure(name: str) -> str:
        found = values(records, stack, photo, name)
        return str(spread(found)) if found else "–"

    def compared(name: str) -> str:
        if stack == OURS or not values(records, OURS, photo, name):
            return "–"
        return str(ratio(values(records, OURS, photo, name), values(records, stack, photo, name)))

    roles = [one["cpu_ms"] for one in records if one["stack"] == stack and one["photo"] == photo and "cpu_ms" in one]
    shares = ", ".join(
        f"{role} {written(spread([one[role] for one in roles]).median)}" for role in (roles[0] if roles else ())
    )
    return [
        stack,
        figure("images_per_second"),
        figure("cpu_ms_total"),
        shares or "–",
        figure("upload_p50_ms"),
        figure("upload_p99_ms"),
        compared("images_per_second"),
        compared("cpu_ms_total"),
    ]


def idle_section(records: Sequence[Record]) -> str:
    """The section of the idle machine."""
    parts = ["## Idle: from upload to DONE"]
    for photo in names(records, "photo"):
        rows = []
        for stack in names(records, "stack"):
            done = values(records, stack, photo, "done_p50_ms")
            ours: Spread | str = "–" if stack == OURS else ratio(values(records, OURS, photo, "done_p50_ms"), done)
            rows.append(
                [stack, str(spread(values(records, stack, photo, "upload_p50_ms"))), str(spread(done)), str(ours)]
            )
        parts += [f"### {photo}", table(["", "upload p50 ms", "upload → DONE p50 ms", "÷"], rows)]
    return "\n\n".join(parts)


SECTIONS: dict[str, Callable[[Sequence[Record]], str]] = {
    "saturated": busy_section("Saturated, one output of 128 px"),
    "five": busy_section("Saturated, five outputs"),
    "idle": idle_section,
}

"""The plots of a run, as SVG."""

import math
from collections.abc import Callable, Mapping, Sequence

from benchmarks.figures import spread, written
from benchmarks.measures.bench import Record
from benchmarks.reading import BARE, OURS, PEERS, TWO_BY_TWO, names, values
from benchmarks.svg import Drawing

WIDTH = 960.0
LABELS = 150.0  # the width of the stacks' names
ROW, BAR = 26.0, 15.0
TOP = 96.0
OWN = (OURS, TWO_BY_TWO)
# Times so many times longer than those of the stacks that are compared leave the plot.
CUT_AT = 2.5
ROLES = ("worker", "web", "redis", "supervisor")


def plots(records: Mapping[str, Sequence[Record]]) -> dict[str, str]:
    """The plots that the records suffice for, by name."""
    return {name: draw(taken) for name, (measure, draw) in PLOTS.items() if (taken := records.get(measure))}


def _rate(records: Sequence[Record], title: str) -> str:
    """Images per second: a panel for each photo, a bar for each stack, with the range of the rounds."""
    stacks = [name for name in names(records, "stack") if name not in BARE]
    panels = names(records, "photo")
    drawing = _panels(title, "images per second, medians; the lines show all rounds", stacks, panels)
    for column, photo in enumerate(panels):
        found = {
            stack: spread(taken) for stack in stacks if (taken := values(records, stack, photo, "images_per_second"))
        }
        place = _scale(column, len(panels), max(one.highest for one in found.values()))
        for row, stack in enumerate(stacks):
            if stack in found:
                y = TOP + row * ROW
                one = found[stack]
                drawing.box(place(0), y, place(one.median) - place(0), BAR, "own" if stack in OWN else "other")
                drawing.line([(place(one.lowest), y + BAR / 2), (place(one.highest), y + BAR / 2)], "ink", width=1.5)
                drawing.text(place(one.highest) + 5, y + 12, written(one.median))
    return drawing.written()


def _cpu(records: Sequence[Record], title: str) -> str:
    """CPU per image by role, beside the bare loop of Pillow."""
    stacks = [name for name in names(records, "stack") if name not in BARE]
    panels = names(records, "photo")
    drawing = _panels(
        title, "milliseconds, all server processes; dashed: a bare loop of Pillow", stacks, panels, legend=True
    )
    for column, photo in enumerate(panels):
        totals = {
            stack: spread(taken).median for stack in stacks if (taken := values(records, stack, photo, "cpu_ms_total"))
        }
        place = _scale(column, len(panels), max(totals.values()))
        for row, stack in enumerate(stacks):
            x, y = 0.0, TOP + row * ROW
            for role in ROLES:
                shares = [
                    one["cpu_ms"].get(role, 0.0) for one in records if (one["stack"], one["photo"]) == (stack, photo)
                ]
                share = spread(shares).median if shares else 0.0
                drawing.box(place(x), y, place(x + share) - place(x), BAR, role)
                x += share
            if stack in totals:
                drawing.text(place(x) + 5, y + 12, written(totals[stack]))
        if pillow := values(records, "pillow", photo, "cpu_ms_total"):
            x = place(spread(pillow).median)
            drawing.line([(x, TOP - 8), (x, TOP + len(stacks) * ROW)], "ink", dashes="4 3", width=1.5)
    drawing.legend(TOP + len(stacks) * ROW + 20, [(role, role) for role in ROLES])
    return drawing.written()


def _times(records: Sequence[Record], title: str, subtitle: str, figures: Sequence[str]) -> str:
    """Two times of each stack on one line: a dot for the first, a ring for the second."""
    stacks = [name for name in names(records, "stack") if name not in BARE]
    panels = names(records, "photo")
    drawing = _panels(title, subtitle, stacks, panels)
    for column, photo in enumerate(panels):
        found = {
            stack: [spread(values(records, stack, photo, figure)).median for figure in figures]
            for stack in stacks
            if values(records, stack, photo, figures[0])
        }
        compared = [max(times) for stack, times in found.items() if stack in (OURS, *PEERS)]
        limit = min(max(map(max, found.values())), CUT_AT * max(compared, default=math.inf))
        place = _scale(column, len(panels), limit)
        for row, stack in enumerate(stacks):
            if stack in found:
                y, color = TOP + row * ROW + BAR / 2, "own" if stack in OWN else "other"
                first, second = found[stack]
                end = place(min(second, limit))
                drawing.line([(place(min(first, limit)), y), (end, y)], color, width=2)
                drawing.dot(place(min(first, limit)), y, color)
                if second <= limit:
                    drawing.dot(end, y, color, hollow=True)
                drawing.text(end + 9, y + 4, f"{written(first)} · {written(second)}", size=11)
    return drawing.written()


def _panels(title: str, subtitle: str, rows: Sequence[str], columns: Sequence[str], *, legend: bool = False) -> Drawing:
    drawing = Drawing(WIDTH, TOP + len(rows) * ROW + (36 if legend else 14), title, subtitle)
    for column, name in enumerate(columns):
        drawing.text(_scale(column, len(columns), 1)(0), TOP - 14, name, weight="bold")
    for row, name in enumerate(rows):
        drawing.text(LABELS - 10, TOP + row * ROW + 12, name, anchor="end", weight="bold" if name == OURS else "")
    return drawing


def _scale(column: int, columns: int, highest: float) -> Callable[[float], float]:
    """Where a value of a panel is drawn. Room for a number stays at the right."""
    width = (WIDTH - LABELS - 10) / columns
    left = LABELS + column * width
    return lambda value: left + value / highest * (width - 88)


def _depth(records: Sequence[Record]) -> str:
    """Times and rates over the number of waiting jobs."""
    taken = [one for one in records if "depth" in one]
    drawing = Drawing(WIDTH, 330, "With a growing queue", "over the number of waiting jobs")
    times = {"accept": "accept_p50_ms", "first page": "list_p50_ms", "status": "status_p50_ms"}
    left = {name: [(one["depth"], one[figure]) for one in taken] for name, figure in times.items()}
    _lines(drawing, (60, 90, 380, 190), "milliseconds, p50", left, logarithmic=True)
    right = {"jobs per second, one worker": [(one["depth"], one["jobs_per_second"]) for one in taken]}
    _lines(drawing, (560, 90, 360, 190), "jobs per second", right, logarithmic=True)
    return drawing.written()


def _memory(records: Sequence[Record]) -> str:
    """Memory over images."""
    drawing = Drawing(
        WIDTH, 330, "Memory", "megabytes that each process has for itself, over the number of images made"
    )
    found = {
        role: [(one["images"], one["memory_mb"].get(role, 0.0)) for one in records]
        for role in ("web", "worker", "redis")
    }
    _lines(drawing, (60, 90, 780, 190), "megabytes", found)
    return drawing.written()


LINE_COLORS = ("web", "worker", "redis")


def _lines(
    drawing: Drawing,
    area: tuple[float, float, float, float],
    unit: str,
    series: Mapping[str, Sequence[tuple[float, float]]],
    *,
    logarithmic: bool = False,
) -> None:
    """Lines with dots from zero up, each with its name at its end."""
    left, top, width, height = area
    across: Callable[[float], float] = math.log10 if logarithmic else float
    xs = sorted({x for points in series.values() for x, _ in points})
    highest = _round_up(max(y for points in series.values() for _, y in points))
    low, span = across(xs[0]), max(across(xs[-1]) - across(xs[0]), 1e-9)
    for step in range(5):
        y = top + height - step / 4 * height
        drawing.line([(left, y), (left + width, y)], "grid")
        drawing.text(left - 6, y + 4, f"{highest * step / 4:,.4g}", color="faint", anchor="end", size=11)
    drawing.text(left, top - 12, unit, color="faint", size=11)
    for x in xs if logarithmic else (xs[0], xs[len(xs) // 2], xs[-1]):
        drawing.text(
            left + (across(x) - low) / span * width,
            top + height + 18,
            f"{x:,.0f}",
            color="faint",
            anchor="middle",
            size=11,
        )
    for (name, points), color in zip(series.items(), LINE_COLORS, strict=False):
        drawn = [(left + (across(x) - low) / span * width, top + height - y / highest * height) for x, y in points]
        drawing.line(drawn, color, width=2)
        for x, y in drawn:
            drawing.dot(x, y, color, 3)
        drawing.text(drawn[-1][0] + 8, drawn[-1][1] + 4, "" if len(series) == 1 else name, size=11)


def _round_up(value: float) -> float:
    """The next of 1, 2, 4, 5, 8 and 10 times a power of ten."""
    unit = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next(step * unit for step in (1, 2, 4, 5, 8, 10) if step * unit >= value)


PLOTS: dict[str, tuple[str, Callable[[Sequence[Record]], str]]] = {
    "rate": ("saturated", lambda taken: _rate(taken, "Images per second, one output of 128 px")),
    "cpu": ("saturated", lambda taken: _cpu(taken, "CPU time per image, one output of 128 px")),
    "upload": (
        "saturated",
        lambda taken: _times(
            taken,
            "Time of an upload while all cores are busy",
            "milliseconds; dot: p50, ring: p99",
            ("upload_p50_ms", "upload_p99_ms"),
        ),
    ),
    "five": ("five", lambda taken: _rate(taken, "Images per second, five outputs of each")),
    "idle": (
        "idle",
        lambda taken: _times(
            taken,
            "On an idle machine",
            "milliseconds, p50; dot: upload, ring: until DONE",
            ("upload_p50_ms", "done_p50_ms"),
        ),
    ),
    "depth": ("depth", _depth),
    "memory": ("memory", _memory),
}

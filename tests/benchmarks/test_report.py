"""The report and its plots hold what was measured, and the results survive a file."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks import report, results
from benchmarks.plots import plots
from benchmarks.results import Results
from tests.benchmarks.records import busy, memory, pillow, waiting

SVG = "{http://www.w3.org/2000/svg}"


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 - our own drawing


@pytest.fixture
def run() -> Results:
    made = results.started({"rounds": 3, "scale": 1.0, "photos": {"street": 800_000}})
    made.skipped["thumbor"] = "no wheel for this Python"
    made.records = {
        "saturated": [*busy("quickthumb", [90.0, 110.0, 100.0]), *busy("celery", [50.0, 50.0, 50.0]), pillow(8.0)],
        "memory": [memory(2000 * step, step / 5, 60.0 + step) for step in range(1, 6)],
        "depth": [
            waiting(100, 2.0),
            waiting(10_000, 2.0),
            {"records": 10_000, "seconds": 2.0, "records_per_second": 5000.0},
        ],
    }
    return made


def test_results_come_back_from_their_file_as_they_were(run: Results, tmp_path: Path) -> None:
    run.save(tmp_path / "run.json")
    assert results.load(tmp_path / "run.json") == run


def test_a_record_has_a_line_of_its_own(run: Results, tmp_path: Path) -> None:
    run.save(tmp_path / "run.json")
    lines = [line for line in (tmp_path / "run.json").read_text().splitlines() if '"stack": "celery"' in line]
    assert len(lines) == 3


def test_the_report_has_medians_ratios_and_who_was_left_out(run: Results) -> None:
    text = report.report(run)
    own = next(line for line in text.splitlines() if line.startswith("| `quickthumb`"))
    assert "| 100 (90.0–110) | 1.90 (1.90–1.90) |" in own
    theirs = next(line for line in text.splitlines() if line.startswith("| `celery`"))
    assert "| 2.00 (1.80–2.20) |" in theirs
    assert "left out: thumbor: no wheel for this Python" in text
    assert "| images/s, street | ≥ 1.15 × the better of Celery and RQ | 2.00 (1.80–2.20) × celery | met |" in text


def test_two_checkouts_have_a_table_of_their_own(run: Results) -> None:
    assert "Before and after" not in report.report(run)
    run.records["saturated"] += busy("before", [50.0, 44.0, 40.0], cpu=20.0)
    text = report.report(run)
    assert "| street | images/s | 44.0 | 100 | 2.50 (1.80–2.50) |" in text
    assert "| street | server CPU per image, ms | 20.0 | 10.0 | 0.50 (0.50–0.50) |" in text


def test_the_needs_of_a_million_jobs_are_worked_out(run: Results) -> None:
    text = report.report(run)
    assert "1,000,000 jobs a day are 11.6 a second on average." in text
    # 10 ms of CPU time for each of 11.6 jobs a second, and 800 KB for each of a million.
    assert "- `street`: 0.12 cores on average, 0.46 at 4 times the average; 800 GB of sources a day." in text
    assert "in 900 bytes for 7 days by default: 6.30 GB" in text


def test_every_row_of_a_table_has_a_cell_for_every_column(run: Results) -> None:
    for block in re.findall(r"(?:^\|.*\n)+", report.report(run), re.MULTILINE):
        assert len({line.count("|") for line in block.splitlines()}) == 1, block


def test_plots_are_drawings_with_the_numbers_in_them(run: Results) -> None:
    drawn = plots(run.records)
    assert set(drawn) == {"rate", "cpu", "upload", "memory", "depth"}
    words = {name: [text.text for text in parsed(svg).iter(f"{SVG}text")] for name, svg in drawn.items()}
    assert {"quickthumb", "celery", "100", "50.0"} <= set(words["rate"])
    assert "10,000" in words["depth"]


def test_a_longer_bar_is_a_higher_rate(run: Results) -> None:
    root = parsed(plots(run.records)["rate"])
    widths = [float(box.get("width", "0")) for box in root.iter(f"{SVG}rect") if box.get("class") in ("own", "other")]
    assert widths[0] == pytest.approx(2 * widths[1], rel=0.01)


def test_a_report_is_published_between_its_marks(run: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"# Before\n{report.BEGIN}the last report\n{report.END}after\n")
    monkeypatch.setattr(report, "PAGE", page)
    monkeypatch.setattr(report, "IMAGES", tmp_path)
    run.save(tmp_path / "run.json")
    report.publish(tmp_path / "run.json")
    text = page.read_text()
    assert text.startswith("# Before\n")
    assert text.endswith("after\n")
    assert "the last report" not in text
    for picture in re.findall(r"\]\(images/(\S+)\)", text):
        assert (tmp_path / picture).exists()


def test_the_page_has_the_marks() -> None:
    text = report.PAGE.read_text(encoding="utf-8")
    assert text.count(report.BEGIN) == text.count(report.END) == 1

"""A target is judged by the figures of the run, whichever way they fall."""

import pytest

from benchmarks.measures.bench import Record
from benchmarks.reading import better, names
from benchmarks.targets import Verdict, verdicts
from tests.benchmarks.records import busy, memory, pillow, waiting


def verdict(records: dict[str, list[Record]], figure: str) -> Verdict:
    return next(one for one in verdicts(records) if one.figure == figure)


@pytest.mark.parametrize(("rate", "is_met"), [(116.0, True), (114.0, False)])
def test_the_rate_is_compared_with_the_better_peer(rate: float, is_met: bool) -> None:
    taken = [*busy("quickthumb", [rate] * 3), *busy("celery", [100.0] * 3), *busy("rq-simple", [50.0] * 3)]
    found = verdict({"saturated": taken}, "images/s, street")
    assert (found.is_met, found.measured.split()[-1]) == (is_met, "celery")


def test_the_better_peer_is_the_one_with_the_better_median() -> None:
    taken = [*busy("celery", [1.0, 100.0, 100.0]), *busy("rq-simple", [90.0, 90.0, 90.0])]
    assert better(taken, "street", "images_per_second", higher=True) == "celery"
    assert better(taken, "street", "images_per_second") == "rq-simple"
    assert better(taken, "phone", "images_per_second") is None


def test_forking_and_plain_arq_are_no_measure() -> None:
    taken = [*busy("quickthumb", [10.0]), *busy("rq", [1.0]), *busy("arq", [1.0])]
    assert not [one for one in verdicts({"saturated": taken}) if "images/s" in one.figure]


@pytest.mark.parametrize(("cpu", "is_met"), [(13.4, True), (13.6, False)])
def test_cpu_is_compared_with_the_bare_loop(cpu: float, is_met: bool) -> None:
    taken = [*busy("quickthumb", [10.0], cpu=cpu), pillow(10.0)]
    assert verdict({"saturated": taken}, "server CPU per image, street").is_met is is_met


def test_memory_may_grow_only_while_it_warms_up() -> None:
    def growing(at_the_end: float) -> list[Record]:
        sizes = [40.0, 60.0, 60.0, 60.0, at_the_end]
        return [memory(2000 * (step + 1), (step + 1) / 5, size) for step, size in enumerate(sizes)]

    name = "memory of web and worker over 10,000 images"
    assert not verdict({"memory": growing(70.0)}, name).is_met
    steady = [memory(2000 * (step + 1), (step + 1) / 5, 60.0) for step in range(5)]
    assert verdict({"memory": steady}, name).is_met


def test_a_deep_queue_may_be_faster_but_not_slower() -> None:
    name = "accept with 10,000 waiting, against 100"
    slower = {"depth": [waiting(100, 2.0), waiting(10_000, 2.5)]}
    faster = {"depth": [waiting(100, 2.0), waiting(10_000, 1.0)]}
    assert (verdict(slower, name).is_met, verdict(faster, name).is_met) == (False, True)
    fewer = {"depth": [waiting(100, 2.0, rate=100.0), waiting(10_000, 2.0, rate=70.0)]}
    assert not verdict(fewer, "jobs/s with 10,000 waiting, against 100").is_met


@pytest.mark.parametrize(("rate", "is_met"), [(72.0, True), (71.0, False)])
def test_workers_must_add_up(rate: float, is_met: bool) -> None:
    taken = [{"workers": 1, "jobs_per_second": 20.0}, {"workers": 4, "jobs_per_second": rate}]
    assert verdict({"workers": taken}, "4 workers, 50 ms of waiting per job").is_met is is_met


def test_a_run_without_figures_has_no_verdicts() -> None:
    assert verdicts({}) == []


def test_quickthumb_comes_first_and_bare_loops_last() -> None:
    taken = [*busy("celery", [1.0]), pillow(1.0), *busy("rq", [1.0]), *busy("quickthumb", [1.0])]
    assert names(taken, "stack") == ["quickthumb", "celery", "rq", "pillow"]

"""The renderer: in a thread or in a process, within its limits, and without keeping memory."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import pytest

from quickthumb.imaging import cost, engine
from quickthumb.imaging.cost import Cost
from quickthumb.imaging.engine import Admit, Rendering
from quickthumb.imaging.metadata import Provenance
from quickthumb.model.errors import BrokenImage, OrderTooLarge, UnsupportedImage
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output
from quickthumb.sandbox import renderer
from quickthumb.sandbox.errors import JobTimedOut, LargeJobsWaiting
from quickthumb.sandbox.memory import Budget, Share
from quickthumb.sandbox.process import SandboxProcess
from quickthumb.sandbox.renderer import RESERVE_BYTES, Renderer
from quickthumb.sandbox.threads import DaemonThreads, Stop
from tests.conftest import picture
from tests.imaging.metadata import sources as files
from tests.waiting import wait_until

OUTPUTS = [Output(width=64)]
LONG = [Output.model_validate({"size": "900x900", "enlarge": True, "format": "avif"})]
Way = Callable[[Renderer, Path, Sequence[Output], Path], Coroutine[Any, Any, Rendering]]


def renderer_with(budget: Budget, seconds: float = 20, *, keeps_label: bool = True) -> Renderer:
    process = SandboxProcess(seconds=30, memory_bytes=512 * 1024 * 1024)
    threads = DaemonThreads(2, lambda: None)
    return Renderer(threads, budget, process, Limits(max_pixels=1_000_000), seconds=seconds, keeps_label=keeps_label)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.jpg"
    path.write_bytes(picture())
    return path


async def test_both_ways_make_the_same(source: Path, tmp_path: Path) -> None:
    made, budget = renderer_with(Budget(10**9)), Budget(10**9)
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    here = await made.in_thread(source, OUTPUTS, tmp_path / "here")
    assert await made.in_process(source, OUTPUTS, tmp_path / "there") == here
    assert budget.taken_bytes == 0
    name = here.made[0].filename
    assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()


@pytest.mark.parametrize("keeps_label", [True, False])
@pytest.mark.parametrize("way", [Renderer.in_thread, Renderer.in_process])
async def test_the_label_of_generated_pictures_is_kept_or_not(tmp_path: Path, way: Way, keeps_label: bool) -> None:
    source = tmp_path / "source.webp"  # whose end is looked at for Content Credentials
    source.write_bytes(files.webp((b"C2PA", files.MANIFEST), xmp=files.xmp(files.LABEL_ELEMENT)))
    made = await way(renderer_with(Budget(10**9), keeps_label=keeps_label), source, OUTPUTS, tmp_path)
    assert made.facts.provenance == Provenance("trainedAlgorithmicMedia", "present")
    data = (tmp_path / made.made[0].filename).read_bytes()
    assert (files.GENERATED.encode() in data) == keeps_label
    assert made.made[0].metadata.startswith("stripped, except the AI label" if keeps_label else "stripped")


async def test_it_waits_for_memory_without_a_thread_and_without_its_time_running(source: Path, tmp_path: Path) -> None:
    budget = Budget(2**20)
    share = await budget.acquire(2**20)
    made = renderer_with(budget, seconds=0.5)
    waiting = asyncio.create_task(made.in_thread(source, OUTPUTS, tmp_path))
    await asyncio.sleep(0.7)
    assert not waiting.done()
    share.release()
    assert (await waiting).made
    assert budget.taken_bytes == 0


class Visits:
    """Counts the calls that a renderer makes in its threads."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        run = DaemonThreads.run

        def counting(threads: DaemonThreads, *args: Any, **more: Any) -> Any:
            self.count += 1
            return run(threads, *args, **more)

        monkeypatch.setattr(DaemonThreads, "run", counting)


async def test_a_small_job_takes_one_visit_to_a_thread_and_memory_while_it_lasts(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    budget, visits = Budget(10**9), Visits(monkeypatch)
    taken: list[int] = []
    real = Stop.check

    def check(stop: Stop) -> None:
        taken.append(budget.taken_bytes)
        real(stop)

    monkeypatch.setattr(Stop, "check", check)
    await renderer_with(budget).in_thread(source, OUTPUTS, tmp_path)
    assert visits.count == 1
    assert taken
    assert min(taken) > 0
    assert budget.taken_bytes == 0


@pytest.mark.parametrize("large", ["by its memory", "by its time"])
async def test_a_large_job_is_only_appraised_in_its_first_visit(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: str
) -> None:
    monkeypatch.setattr(cost, *(("LARGE_BYTES", 0) if large == "by its memory" else ("LONG_SECONDS", 0)))
    budget, visits = Budget(10**9), Visits(monkeypatch)
    asked: list[bool] = []
    acquire = budget.acquire

    async def acquiring(size_bytes: int, *, is_large: bool = True) -> Share:
        asked.append(is_large)
        assert budget.taken_bytes == 0
        return await acquire(size_bytes, is_large=is_large)

    monkeypatch.setattr(budget, "acquire", acquiring)
    made = renderer_with(budget)
    assert (await made.in_thread(source, OUTPUTS, tmp_path)).made
    assert (visits.count, asked, made.large_decided, budget.taken_bytes) == (2, [True], 1, 0)


async def test_a_picture_that_hangs_takes_too_long(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def hang(*_: object, **__: object) -> None:
        go_on.wait(20)

    monkeypatch.setattr(engine, "render", hang)
    with pytest.raises(JobTimedOut, match=r"Processing took longer than 0\.1 s\."):
        await renderer_with(Budget(10**9), seconds=0.1).in_thread(source, OUTPUTS, tmp_path)
    go_on.set()


async def test_the_error_of_a_large_picture_does_not_keep_the_picture(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renderer, "LARGE_BYTES", 0)
    monkeypatch.setattr(cost, "LARGE_BYTES", 0)
    monkeypatch.setattr(engine, "render", decoder_that_fails(gone := threading.Event()))
    with pytest.raises(BrokenImage) as error:
        await renderer_with(Budget(10**9)).in_thread(source, OUTPUTS, tmp_path)
    await wait_until(gone.is_set)
    assert error.value.__cause__ is not None


async def test_what_needs_more_than_the_whole_budget_is_refused_before_it_is_decoded(
    source: Path, tmp_path: Path
) -> None:
    made = renderer_with(Budget(100_000))
    with pytest.raises(OrderTooLarge, match=r"DECODE_BUDGET_BYTES allows at most 100000\."):
        await made.in_thread(source, OUTPUTS, tmp_path)
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("way", [Renderer.in_thread, Renderer.in_process])
async def test_one_large_job_waits_for_memory_and_any_other_in_the_queue(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: Way
) -> None:
    monkeypatch.setattr(cost, "LONG_SECONDS", 0.1)
    budget = Budget(10**9, RESERVE_BYTES)
    made, everything = renderer_with(budget), await budget.acquire(10**9)
    waiting = asyncio.create_task(made.in_thread(source, LONG, tmp_path))
    await wait_until(lambda: budget.large_waiting == 1)
    assert not made.takes_large
    with pytest.raises(LargeJobsWaiting) as caught:
        await way(made, source, LONG, tmp_path)
    assert not caught.value.permanent
    assert (await made.in_thread(source, OUTPUTS, tmp_path)).made
    waiting.cancel()
    await wait_until(lambda: made.takes_large)
    everything.release()
    assert (await way(made, source, LONG, tmp_path)).made
    assert (made.takes_large, budget.taken_bytes) == (True, 0)


async def test_one_long_job_waits_for_a_thread_and_any_other_in_the_queue(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cost, "LONG_SECONDS", 0.1)
    go_on = threading.Event()
    real = engine.render

    def render(source: Path, outputs: Sequence[Output], *others: Any, **more: Any) -> Rendering:
        assert more["admit"] or go_on.wait(30)
        return real(source, outputs, *others, **more)

    monkeypatch.setattr(engine, "render", render)
    made = renderer_with(Budget(10**9))
    held = [asyncio.create_task(made.in_thread(source, LONG, tmp_path)) for _ in range(3)]
    await wait_until(lambda: not made.takes_large)
    with pytest.raises(LargeJobsWaiting):
        await made.in_thread(source, LONG, tmp_path)
    assert (await made.in_thread(source, OUTPUTS, tmp_path)).made
    assert not any(task.done() for task in held)
    go_on.set()
    assert all(rendering.made for rendering in await asyncio.gather(*held))
    assert made.takes_large


async def test_an_unreadable_header_is_left_to_the_sandbox(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"no image")
    with pytest.raises(UnsupportedImage):
        await renderer_with(Budget(10**9)).in_process(broken, OUTPUTS, tmp_path)


class Picture:
    def __init__(self, gone: threading.Event) -> None:
        self._gone = gone

    def __del__(self) -> None:
        self._gone.set()


def decoder_that_fails(gone: threading.Event) -> Callable[..., Rendering]:
    def decode() -> None:
        decoded = Picture(gone)  # noqa: F841 - as a frame of a decoder would have one
        raise ValueError("broken")

    def render(*_: object, admit: Admit | None, **__: object) -> Rendering:
        if admit is not None:
            admit(1, Cost(1, 1, 0))
        try:
            decode()
        except ValueError as error:
            raise BrokenImage("The image is damaged.") from error
        raise AssertionError

    return render

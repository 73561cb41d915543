"""Both resamplers agree, one decode serves many, and the same work gives the same bytes."""

import importlib.util
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from quickthumb.imaging import levels, resampling
from quickthumb.imaging.engine import render
from quickthumb.imaging.resampling import resample, with_pillow, with_simd
from quickthumb.model.output import Output
from tests.imaging.conftest import LIMITS, Engine
from tests.imaging.measures import psnr, ssim
from tests.imaging.pictures import noise

needs_simd = pytest.mark.skipif(importlib.util.find_spec("cykooz_resizer") is None, reason="needs cykooz.resizer")
FIVE = [Output(name=f"w{width}", width=width) for width in (1280, 960, 640, 320, 128)]


@needs_simd
@pytest.mark.parametrize("mode", resampling.MODES)
@pytest.mark.parametrize("size", [(100, 66), (31, 90), (450, 300), (300, 200)])
def test_simd_and_pillow_agree(mode: str, size: tuple[int, int]) -> None:
    picture = noise(300, 200).convert(mode)
    if mode == "RGBA":
        picture.putalpha(noise(300, 200, seed=5).convert("L"))
    box = (10.25, 3.5, 290.0, 199.0)
    one, other = with_simd(picture, size, box), with_pillow(picture, size, box)
    assert one.mode == other.mode == mode
    if mode == "RGBA":
        one, other = (Image.alpha_composite(Image.new("RGBA", size, "grey"), made) for made in (one, other))
    assert psnr(one, other) > 45


@needs_simd
def test_simd_and_pillow_agree_on_the_photo(corpus: Path) -> None:
    with Image.open(corpus / "photos" / "street-2725x2225.jpg") as photo:
        photo.load()
        whole = (0, 0, *photo.size)
        assert psnr(with_simd(photo, (720, 588), whole), with_pillow(photo, (720, 588), whole)) > 50


def test_the_engine_works_without_simd(engine: Engine, corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = corpus / "photos" / "paper-rgba-2048x1536.png"
    usual = engine(path, width=200, format="png").picture()
    monkeypatch.setattr(resampling, "_implementation", with_pillow)
    fallback = engine(path, width=200, format="png").picture()
    ground = Image.new("RGBA", usual.size, "white")
    assert psnr(*(Image.alpha_composite(ground, picture.convert("RGBA")) for picture in (usual, fallback))) > 45


def test_a_whole_box_at_its_size_is_copied() -> None:
    picture = noise(64, 64)
    assert resample(picture, (20, 30), (10, 10, 30, 40)).tobytes() == picture.crop((10, 10, 30, 40)).tobytes()


def test_the_margin_bounds_the_draft() -> None:
    assert levels.draft_scale([16.0], (100, 100)) == 8
    assert levels.draft_scale([16.0, 1.0], (100, 100)) == 1
    assert levels.draft_scale([2 * levels.DRAFT_MARGIN], (100, 100)) == 2
    assert levels.draft_scale([2 * levels.DRAFT_MARGIN - 0.01], (100, 100)) == 1
    assert levels.draft_scale([0.5], (100, 100)) == 1


def test_a_draft_keeps_every_side() -> None:
    assert levels.draft_scale([16.0], (3, 2000)) == 2
    assert levels.draft_scale([16.0], (1, 1)) == 1


def test_what_is_fed_by_larger_results_looks_the_same(corpus: Path, tmp_path: Path) -> None:
    source = corpus / "photos" / "street-2725x2225.jpg"
    render(source, FIVE, tmp_path, LIMITS)
    with Image.open(source) as photo:
        for output in FIVE:
            with Image.open(tmp_path / f"{output.name}.jpg") as made:
                reference = photo.resize(made.size, Image.Resampling.LANCZOS)
                assert ssim(made, reference) > 0.94


def test_nothing_is_made_of_an_enlarged_picture() -> None:
    picture = noise(100, 80)
    made = levels.Levels(levels.Level(picture, (1.0, 1.0)), picture.size)
    made.cut((0, 0, 100, 80), (200, 160))
    assert made.cut((0, 0, 100, 80), (90, 72)).tobytes() == resample(picture, (90, 72), (0, 0, 100, 80)).tobytes()


def test_one_size_in_several_formats_is_made_once() -> None:
    picture = noise(100, 80)
    made = levels.Levels(levels.Level(picture, (1.0, 1.0)), picture.size)
    assert made.cut((0, 0, 100, 80), (50, 40)) is made.cut((0, 0, 100, 80), (50, 40))


def test_results_that_share_a_picture_do_not_disturb_each_other(engine: Engine) -> None:
    wanted = [{"name": name, "width": "60", "format": name} for name in ("gif", "png", "webp", "jpeg", "avif")]
    result = engine(noise(), *wanted)
    together = {output["name"]: result.path(output["name"]).read_bytes() for output in wanted}
    apart = {output["name"]: engine(noise(), output).path(output["name"]).read_bytes() for output in wanted}
    assert together == apart


def test_order_does_not_matter(corpus: Path, tmp_path: Path) -> None:
    source = corpus / "photos" / "street-2725x2225.jpg"
    one, other = tmp_path / "one", tmp_path / "other"
    for folder, outputs in ((one, FIVE), (other, FIVE[::-1])):
        folder.mkdir()
        rendering = render(source, outputs, folder, LIMITS)
        assert [made.name for made in rendering.made] == [output.name for output in outputs]
    for path in one.iterdir():
        assert path.read_bytes() == (other / path.name).read_bytes()


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "avif", "gif"])
def test_the_same_work_gives_the_same_bytes_in_every_thread(tmp_path: Path, name: str) -> None:
    source = tmp_path / "source.png"
    noise().save(source)
    output = Output.model_validate({"width": 120, "format": name, "blur": 1, "rotate": 10})
    folders = [tmp_path / str(number) for number in range(8)]
    for folder in folders:
        folder.mkdir()
    with ThreadPoolExecutor(4) as threads:
        renderings = list(threads.map(lambda folder: render(source, [output], folder, LIMITS), folders))
    assert len(set(renderings)) == 1
    assert len({next(folder.iterdir()).read_bytes() for folder in folders}) == 1


def test_names_must_differ(engine: Engine) -> None:
    with pytest.raises(Exception, match="name must be unique"):
        engine(noise(), {"name": "a"}, {"name": "a"})

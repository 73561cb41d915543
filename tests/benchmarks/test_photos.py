from pathlib import Path

import pytest
from PIL import Image

from benchmarks import photos
from benchmarks.measures.sizes import write_bmp
from quickthumb.imaging.header import read_header_of_file


def test_photos_are_drawn_where_the_folder_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photos, "BUILD", tmp_path)
    monkeypatch.setattr(photos, "PHONE_SIZE", (640, 480))
    monkeypatch.setattr(photos, "STREET_SIZE", (300, 200))
    found = photos.photos(tmp_path / "missing")
    assert set(found) == {"street", "flowers", "phone", "small"}
    sizes = {}
    for name, photo in found.items():
        with Image.open(photo.path) as image:
            sizes[name] = image.size
    assert (sizes["street"], sizes["phone"]) == ((300, 200), (640, 480))


@pytest.mark.parametrize("size", [100_000, 1_000_000, 1_000_000_000])
def test_a_bmp_of_any_size_is_an_image(tmp_path: Path, size: int) -> None:
    path = tmp_path / "photo.bmp"
    write_bmp(path, size)
    assert path.stat().st_size == pytest.approx(size, rel=0.02)
    assert read_header_of_file(path).format == "bmp"

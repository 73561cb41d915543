"""A client of the first QuickThumb: it posts an image, and the operator finds the thumbnail on the disk."""

from io import BytesIO
from pathlib import Path

import httpx
from PIL import Image

from tests.compat.conftest import Site
from tests.conftest import picture
from tests.waiting import wait_until


async def post(http: httpx.AsyncClient, data: bytes) -> dict[str, object]:
    answer = await http.post("/images/", files={"image": ("cat.jpg", data, "image/jpeg")})
    assert answer.is_success
    body: dict[str, object] = answer.json()
    assert body["message"] == "Image is being resized in the background"
    return body


def files(folder: Path, data: bytes) -> list[Path]:
    """The files in the folder with exactly these contents."""
    return [path for path in folder.rglob("*") if path.is_file() and path.read_bytes() == data]


def thumbnails(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*.jpg") if path.is_file() and ".making" not in path.parts]


async def test_a_thumbnail_appears_and_the_upload_stays(http: httpx.AsyncClient, site: Site) -> None:
    data = picture(641, 641)
    await post(http, data)
    assert len(files(site.data / "uploads", data)) == 1

    def is_made() -> bool:
        sizes = [Image.open(BytesIO(path.read_bytes())).size for path in thumbnails(site.data / "processed")]
        return (128, 128) in sizes

    await wait_until(is_made)
    await wait_until(lambda: "image resized and saved" in site.log.read_text())
    assert len(files(site.data / "uploads", data)) == 1


async def test_the_upload_goes_at_once_when_that_is_set(mailing: httpx.AsyncClient, mailing_site: Site) -> None:
    data = picture(642, 300)
    await post(mailing, data)
    await wait_until(lambda: "image resized and saved" in mailing_site.log.read_text())
    assert thumbnails(mailing_site.data / "processed")
    assert files(mailing_site.data / "uploads", data) == []

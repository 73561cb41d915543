"""The photos that are uploaded: two of the corpus, and those that are made from it or from nothing."""

import random
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

from benchmarks.environments import BUILD

CORPUS = Path(__file__).resolve().parents[2] / "shared" / "corpus" / "photos"
STREET, FLOWERS = "street-2725x2225.jpg", "flowers.jpg"
STREET_SIZE, FLOWERS_SIZE, PHONE_SIZE = (2725, 2225), (1920, 1080), (4032, 3024)
# An enlarged photo is soft; a real one of this size has grain, which makes the file larger.
GRAIN = 0.05


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo on the disk, and what to call it in tables."""

    name: str
    path: Path

    @property
    def title(self) -> str:
        """Such as `street, 829 KB`."""
        return f"{self.name}, {self.path.stat().st_size / 1000:,.0f} KB"


def photos(folder: Path = CORPUS) -> dict[str, Photo]:
    """The photos by name. Those that the folder does not have are drawn, of the same size in pixels."""
    made = BUILD / "photos"
    made.mkdir(parents=True, exist_ok=True)
    street = _given(folder / STREET, made / "drawn-street.jpg", STREET_SIZE)
    found = {
        "street": street,
        "flowers": _given(folder / FLOWERS, made / "drawn-flowers.jpg", FLOWERS_SIZE),
        "phone": _phone_photo(street, made),
        "small": _small_photo(street, made),
    }
    return {name: Photo(name, path) for name, path in found.items()}


def _given(path: Path, otherwise: Path, size: tuple[int, int]) -> Path:
    if path.exists():
        return path
    if not otherwise.exists():
        draw_scene(size).save(otherwise, quality=88)
    return otherwise


def draw_scene(size: tuple[int, int]) -> Image.Image:
    """A made picture with edges, soft areas and grain, which takes a JPEG decoder about as long as a photo does."""
    chance = random.Random(1)
    scene = Image.linear_gradient("L").resize(size).convert("RGB")
    draw = ImageDraw.Draw(scene)
    for _ in range(400):
        x, y = chance.randrange(size[0]), chance.randrange(size[1])
        width, height = chance.randrange(8, size[0] // 6), chance.randrange(8, size[1] // 6)
        color = (chance.randrange(256), chance.randrange(256), chance.randrange(256))
        draw.ellipse((x, y, x + width, y + height), fill=color)
    soft = scene.filter(ImageFilter.GaussianBlur(2))
    grain = Image.frombytes("L", size, chance.randbytes(size[0] * size[1])).filter(ImageFilter.GaussianBlur(1))
    return Image.blend(soft, grain.convert("RGB"), 0.12)


def _phone_photo(street: Path, folder: Path) -> Path:
    """12 megapixels, 3 to 4 MB: what the camera of a phone makes."""
    target = folder / f"phone-of-{street.stem}.jpg"
    if not target.exists():
        with Image.open(street) as photo:
            large = photo.convert("RGB").resize(PHONE_SIZE, Image.Resampling.BICUBIC)
        grain = Image.frombytes("L", PHONE_SIZE, random.Random(1).randbytes(PHONE_SIZE[0] * PHONE_SIZE[1]))
        Image.blend(large, grain.convert("RGB"), GRAIN).save(target, quality=93, subsampling=2)
    return target


def _small_photo(street: Path, folder: Path) -> Path:
    """A few KB: for figures that many jobs are needed for, but not what is in them."""
    target = folder / f"small-of-{street.stem}.jpg"
    if not target.exists():
        with Image.open(street) as photo:
            photo.thumbnail((256, 256))
            photo.convert("RGB").save(target, quality=75)
    return target

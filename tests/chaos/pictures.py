"""Pictures made on the spot, no two alike, so that a result can be told to come from its own source."""

import hashlib
import json
import random
from dataclasses import dataclass
from io import BytesIO

from PIL import Image

Colour = tuple[int, int, int]

THUMBNAIL_SIDE = 128
# JPEG blurs colours a little, most of all where they meet; the samples are taken far from there.
COLOUR_TOLERANCE = 14


@dataclass(frozen=True)
class Picture:
    """Its upper half has one colour, its lower half another."""

    data: bytes
    content_type: str
    width: int
    height: int
    upper: Colour
    lower: Colour

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    def fault_of(self, name: str, data: bytes) -> str | None:
        """What is wrong with a result of this picture; None when nothing is."""
        with Image.open(BytesIO(data)) as image:
            result = image.convert("RGB")
        longest = THUMBNAIL_SIDE if name == "thumbnail" else max(result.size)
        scale = longest / max(self.width, self.height)
        expected = (self.width * scale, self.height * scale)
        if any(abs(side - wanted) > 1 for side, wanted in zip(result.size, expected, strict=True)):
            return f"{name} is of size {result.size} instead of {expected}"
        for share, colour in ((0.25, self.upper), (0.75, self.lower)):
            seen = result.getpixel((result.width // 2, round(result.height * share)))
            assert isinstance(seen, tuple)
            if any(abs(got - wanted) > COLOUR_TOLERANCE for got, wanted in zip(seen, colour, strict=True)):
                return f"{name} is at {share:.0%} of its height {seen} instead of {colour}"
        return None


def small_picture(chance: random.Random) -> Picture:
    """A JPEG of a few kilobytes."""
    return _picture(chance, "JPEG", chance.randint(160, 480), chance.randint(160, 480))


def large_picture(chance: random.Random) -> Picture:
    """A bitmap of some megabytes: its upload takes long enough to be broken off.

    It is smaller than what the service still reads after it has refused an upload (LINGER_BYTES in
    `web/middleware/lingering.py`). Otherwise the client may lose the answer with the connection.
    """
    return _picture(chance, "BMP", chance.randint(900, 1150), chance.randint(900, 1150))


def any_picture(chance: random.Random) -> Picture:
    """Mostly a small one, sometimes a large one."""
    return large_picture(chance) if chance.random() < 0.25 else small_picture(chance)


def any_job(chance: random.Random) -> tuple[Picture, dict[str, str]]:
    """Mostly any picture for a thumbnail; sometimes one that keeps a worker busy for a while."""
    return slow_job(chance, outputs=2) if chance.random() < 0.15 else (any_picture(chance), {})


def slow_job(chance: random.Random, outputs: int) -> tuple[Picture, dict[str, str]]:
    """A picture and the parameters that make a worker busy with it for about `outputs` / 8 seconds."""
    picture = _picture(chance, "PNG", 3000, 2400)
    wanted = [{"name": f"output-{number}", "width": 2990 - 10 * number} for number in range(outputs)]
    return picture, {"outputs": json.dumps(wanted)}


def _picture(chance: random.Random, kind: str, width: int, height: int) -> Picture:
    upper, lower = _colour(chance), _colour(chance)
    image = Image.new("RGB", (width, height), upper)
    image.paste(lower, (0, height // 2, width, height))
    file = BytesIO()
    image.save(file, kind)
    return Picture(file.getvalue(), f"image/{kind.lower()}", width, height, upper, lower)


def _colour(chance: random.Random) -> Colour:
    return chance.randint(0, 255), chance.randint(0, 255), chance.randint(0, 255)

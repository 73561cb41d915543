"""Metadata changed at random: whatever it has become, a picture that can be shown is made."""

import io
import random
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from quickthumb.imaging.engine import render
from quickthumb.model.errors import BrokenImage, TooManyParts
from quickthumb.model.output import Output
from tests.imaging.conftest import LIMITS
from tests.imaging.metadata import sources
from tests.imaging.metadata.sources import MANIFEST, RIGHTS_IPTC
from tests.imaging.metadata.test_exif import full_block

FORMATS = ("jpeg", "png", "webp", "avif", "gif")
MUTANTS = 12
Mutate = Callable[[bytes], bytes]


def jpeg(mutate: Mutate) -> bytes:
    return sources.jpeg(
        sources.exif_segment(mutate(full_block())),
        sources.xmp_segment(mutate(sources.rights_xmp(sources.LABEL_ELEMENT))),
        (0xED, mutate(sources.resources(RIGHTS_IPTC))),
        (0xEB, mutate(sources.c2pa_segments()[0][1])),
        (0xFE, mutate(b"A comment")),
    )


def png(mutate: Mutate) -> bytes:
    return sources.png(
        (b"eXIf", mutate(full_block())),
        (b"iTXt", mutate(sources.international("XML:com.adobe.xmp", sources.rights_xmp(), packed=True))),
        (b"tEXt", mutate(b"Author\0Zo\xeb")),
        (b"tEXt", mutate(sources.raw_profile("iptc", sources.resources(RIGHTS_IPTC)[14:]))),
        (b"zTXt", mutate(b"Title\0\0x\x9ccx")),
        (b"caBX", mutate(MANIFEST)),
        late=True,
    )


def webp(mutate: Mutate) -> bytes:
    return sources.webp((b"C2PA", mutate(MANIFEST)), exif=mutate(full_block()), xmp=mutate(sources.rights_xmp()))


def tiff(mutate: Mutate) -> bytes:
    file = io.BytesIO()
    tags = {700: mutate(sources.rights_xmp()), 33723: mutate(RIGHTS_IPTC), 34377: mutate(sources.resources(b"")[14:])}
    Image.new("RGB", (8, 8)).save(file, "TIFF", tiffinfo={**tags, 315: mutate(b"Zo\xeb")})
    return file.getvalue()


def gif(mutate: Mutate) -> bytes:
    return sources.gif(sources.gif_xmp(mutate(sources.rights_xmp()).replace(b"\0", b"0")), comment=mutate(b"A comment"))


def mutation(chance: random.Random) -> Mutate:
    """Changes, cuts, doubles or leaves alone what it is given."""

    def mutate(data: bytes) -> bytes:
        made = bytearray(data)
        for _ in range(chance.choice((0, 1, 1, 3, 10))):
            place = chance.randrange(len(made) + 1)
            match chance.randrange(4):
                case 0:
                    made[place : place + 1] = bytes((chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256))),))
                case 1:
                    made[place : place + 4] = chance.choice((bytes(4), b"\xff" * 4, b"\xff\0\0\0", b"<x>"))
                case 2:
                    del made[place : place + chance.randrange(1, 60)]
                case _:
                    made[place:place] = made[place : place + 40]
        return bytes(made) or b"\0"

    return mutate


@pytest.mark.parametrize("make", [jpeg, png, webp, tiff, gif])
@pytest.mark.parametrize("seed", range(MUTANTS))
def test_a_picture_with_any_metadata_is_made(make: Callable[[Mutate], bytes], seed: int, tmp_path: Path) -> None:
    source = tmp_path / "mutant"
    source.write_bytes(make(mutation(random.Random(seed))))
    outputs = [
        Output.model_validate({"name": f"{name}-{metadata}", "format": name, "metadata": metadata, "width": 16})
        for name in FORMATS
        for metadata in ("strip", "copyright", "keep")
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of what is damaged
        try:
            rendering = render(source, outputs, tmp_path, LIMITS)
        except (BrokenImage, TooManyParts):
            assert not _can_be_shown(source)
            return
        for made in rendering.made:
            with Image.open(tmp_path / made.filename) as picture:
                picture.load()
            assert len(made.metadata) < 200


def _can_be_shown(source: Path) -> bool:
    try:
        with Image.open(source) as picture:
            picture.load()
    except Exception:
        return False
    return True

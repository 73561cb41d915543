import io
import zlib

import pytest

from quickthumb.imaging.formats.window import Seeking
from quickthumb.imaging.location.patches import MOST_PATCHES, MOST_STEPS, Bounded, Patch, Patches, Stretch, TooInvolved
from quickthumb.imaging.location.texts import packed_into
from quickthumb.model.errors import BrokenImage

DATA = bytes(range(100))


@pytest.fixture
def window() -> Bounded:
    return Bounded(Seeking(io.BytesIO(DATA)), len(DATA))


def test_a_run_of_several_pieces_is_read_as_one(window: Bounded) -> None:
    run = Stretch(window, [(50, 3), (10, 2), (90, 5)])
    assert run.at(0, run.length) == bytes([50, 51, 52, 10, 11, 90, 91, 92, 93, 94])
    assert run.at(2, 4) == bytes([52, 10, 11, 90])
    assert run.part(2, 4).behind(1).at(0, 3) == bytes([10, 11, 90])
    assert run.part(8, 100).length == 2
    for offset, length in ((9, 2), (-1, 1), (0, -1)):
        with pytest.raises(BrokenImage):
            run.at(offset, length)


def test_a_run_of_several_pieces_is_patched_as_one(window: Bounded) -> None:
    run = Stretch(window, [(50, 3), (10, 2), (90, 5)])
    assert list(run.patch(2, 4, b"abcd")) == [Patch(52, 1, b"a"), Patch(10, 2, b"bc"), Patch(90, 1, b"d")]
    assert list(run.patch(4, 100, b" ")) == [Patch(11, 1, b" "), Patch(90, 5, b" ")]
    patched = Patches(run.blank()).apply(DATA)
    assert [at for at, value in enumerate(patched) if value != at] == [10, 11, 50, 51, 52, *range(90, 95)]


def test_the_last_of_two_patches_counts() -> None:
    patches = Patches([Patch(0, 10, b"0"), Patch(4, 2, b"ab"), Patch(200, 5, b"x")])
    assert patches.apply(DATA[:12]) == b"0000ab0000\n\x0b"
    assert patches.apply(DATA[5:8], 5) == b"b00"


def test_a_file_cannot_be_read_forever(window: Bounded) -> None:
    window.spend(MOST_STEPS - 1)
    assert window.at(0, 1) == b"\0"
    with pytest.raises(TooInvolved):
        window.at(0, 1)


def test_a_file_cannot_have_any_number_of_patches() -> None:
    many = [Patch(at, 1, b" ") for at in range(MOST_PATCHES + 1)]
    assert Patches(many[:-1]).mark
    with pytest.raises(TooInvolved):
        Patches(many)


@pytest.mark.parametrize("text", [b"a caption, and geo:lat=         " * 3, b"\niptc\n      12\n" + b"1c0255" * 40])
def test_a_packed_text_fills_nearly_any_length(text: bytes) -> None:
    packing = zlib.compressobj(9, wbits=-zlib.MAX_WBITS, memLevel=9)
    least = 2 + len(packing.compress(text) + packing.flush()) + 4
    made = {length: packed_into(text, length) for length in range(least - 1, least + 40)}
    assert made[least - 1] is None
    assert made[least] is not None
    assert all(made[length] for length in range(least + 20, least + 40))
    for length, packed in made.items():
        if packed is not None:
            assert (len(packed), zlib.decompress(packed)) == (length, text)

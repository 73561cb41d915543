import os
import sys
from pathlib import Path

import pytest

from quickthumb.storage.privacy import closed_to_others, exposure, mask_for

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")


def folder_of(path: Path, mode: int) -> Path:
    path.mkdir()
    path.chmod(mode)
    return path


def made_in(folder: Path) -> tuple[int, int]:
    (folder / "made").mkdir()
    (folder / "file").write_text("")
    return (folder / "made").stat().st_mode & 0o777, (folder / "file").stat().st_mode & 0o777


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (0o700, (0o700, 0o600)),
        (0o750, (0o750, 0o640)),
        (0o770, (0o770, 0o660)),
        (0o755, (0o750, 0o640)),
        (0o777, (0o770, 0o660)),
    ],
)
def test_the_group_gets_what_it_has_on_the_folder_and_others_nothing(
    tmp_path: Path, mode: int, expected: tuple[int, int]
) -> None:
    folder = folder_of(tmp_path / "data", mode)
    before = os.umask(0o022)
    try:
        with closed_to_others(folder):
            assert made_in(folder) == expected
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)


def test_a_folder_that_is_still_to_be_made_is_its_owner_s_alone(tmp_path: Path) -> None:
    assert mask_for(tmp_path / "data") == 0o077


@pytest.mark.parametrize(
    ("mode", "verb"), [(0o700, None), (0o770, None), (0o755, "read"), (0o711, "read"), (0o777, "change")]
)
def test_a_folder_that_admits_everybody_is_told_of(tmp_path: Path, mode: int, verb: str | None) -> None:
    folder = folder_of(tmp_path / "data", mode)
    told = exposure(folder)
    assert told == (verb and f"Every user of this machine may {verb} {folder}; run `chmod o-rwx {folder}`.")

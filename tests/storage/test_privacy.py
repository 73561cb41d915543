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
def test_a_folder_that_admits_everybody_is_told_of(public_path: Path, mode: int, verb: str | None) -> None:
    folder = folder_of(public_path / "data", mode)
    told = exposure(folder)
    assert told == (verb and f"Every user of this machine may {verb} {folder}; run `chmod o-rwx {folder}`.")


@pytest.mark.parametrize(("mode", "is_told"), [(0o700, False), (0o750, False), (0o754, False), (0o751, True)])
def test_a_folder_below_one_that_is_closed_to_others_is_not(public_path: Path, mode: int, is_told: bool) -> None:
    closed = folder_of(public_path / "home", 0o755)
    folder = folder_of(folder_of(closed / "between", 0o755) / "data", 0o777)
    closed.chmod(mode)
    assert bool(exposure(folder)) == is_told


def test_a_link_in_a_closed_folder_does_not_close_what_it_leads_to(public_path: Path) -> None:
    closed, opened = folder_of(public_path / "closed", 0o755), folder_of(public_path / "open", 0o755)
    (closed / "link").symlink_to(folder_of(opened / "data", 0o755))
    (opened / "link").symlink_to(folder_of(closed / "data", 0o755))
    closed.chmod(0o700)
    assert exposure(closed / "link") is not None
    assert exposure(opened / "link") is None

"""A photo as iPhones send it, from the upload to its result."""

from dataclasses import replace
from pathlib import Path

import pytest

from quickthumb.config import Config
from quickthumb.worker import confined_formats
from tests.chaos.test_poison import ended, upload
from tests.conftest import http_client, running_service
from tests.imaging.iso_files import COLOR, HEIC, hevc, iso_file

pytest.importorskip("pi_heif", reason="there is no decoder of HEIC for this platform")


@pytest.mark.parametrize("confined", [True, False])
async def test_a_heic_becomes_a_jpeg(tmp_path: Path, confined: bool) -> None:
    with running_service(tmp_path, confine_heic=confined) as address:
        async with http_client(address) as web:
            job = await ended(web, await upload(web, iso_file([hevc(COLOR)], HEIC)))
    assert (job["status"], job["source"]["format"]) == ("DONE", "heif"), job
    (result,) = job["results"].values()
    assert (result["format"], result["width"], result["height"]) == ("jpeg", 96, 64)
    assert job["attempts"] == 1


def test_heic_is_confined_unless_a_setting_says_otherwise() -> None:
    config = Config()
    assert confined_formats(config) == {"heif", "jxl"}
    trusting = replace(config, sandbox=replace(config.sandbox, confine_heic=False))
    assert confined_formats(trusting) == {"jxl"}

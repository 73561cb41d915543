"""A sandbox process keeps gain maps as the engine does: it may read its source once more."""

from pathlib import Path

from quickthumb.imaging.engine import render
from quickthumb.model.limits import Limits
from quickthumb.model.output import Output
from quickthumb.sandbox.process import SandboxProcess
from tests.imaging import hdr_files
from tests.imaging.pictures import gradient

LIMITS = Limits(max_pixels=1_000_000)
SANDBOX = SandboxProcess(seconds=30, memory_bytes=512 * 1024 * 1024)


def test_a_sandbox_process_keeps_a_gain_map(tmp_path: Path) -> None:
    source, here, there = tmp_path / "source.jpg", tmp_path / "here", tmp_path / "there"
    source.write_bytes(hdr_files.ultra_hdr(gradient(160, 120), gradient(40, 30)))
    here.mkdir()
    there.mkdir()
    outputs = [Output(width=80, hdr="keep")]
    rendering = SANDBOX.render(source, outputs, there, LIMITS)
    assert rendering == render(source, outputs, here, LIMITS)
    assert (rendering.facts.hdr, rendering.made[0].warnings) == ("ultra-hdr", ())
    assert (there / "thumbnail.jpg").read_bytes() == (here / "thumbnail.jpg").read_bytes()
    assert len(hdr_files.pictures(there / "thumbnail.jpg")) == 2

"""How much memory a process and its sandbox processes take."""

import subprocess
import sys

import psutil
import pytest

from quickthumb.sandbox import footprint
from quickthumb.sandbox.footprint import resident_bytes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")


def test_it_is_what_the_system_counts_with_children_that_live() -> None:
    with subprocess.Popen(["sleep", "30"]) as child:
        try:
            alone, together = resident_bytes(), resident_bytes([child.pid])
            its = psutil.Process(child.pid).memory_info().rss
        finally:
            child.kill()
    assert alone == pytest.approx(psutil.Process().memory_info().rss, rel=0.2)
    assert alone is not None
    assert together is not None
    assert 0 < together - alone < its + 8 * 2**20
    assert resident_bytes([child.pid]) == pytest.approx(alone, rel=0.1)  # it has ended


def test_a_system_that_does_not_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footprint, "OWN", "nobody")
    assert resident_bytes() is None

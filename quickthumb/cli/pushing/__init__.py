"""The parts of `quickthumb push`: the folder, the journal, the run and the report."""

from quickthumb.cli.pushing.program import push

__all__ = ["push"]

"""The command line, one of the roots: it loads the configuration, wires the parts and prints."""

from quickthumb.cli.program import main

__all__ = ["main"]

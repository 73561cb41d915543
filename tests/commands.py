"""`quickthumb COMMAND` in a process of its own, forked from one that has imported the commands already.

To import them takes longer than most commands run. The process has the environment, the folder, the output and the exit
code that it would have from a shell. Tests of the start itself start Python: what is imported, and from where.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.conftest import CHECKOUT

# Not quickthumb.app and quickthumb.worker: they read the configuration when they are imported.
PRELOADED = tuple(
    f"quickthumb.cli.{name}"
    for name in ("program", "up", "serve", "jobs", "rerender", "keys", "doctor", "recover", "render", "push")
)
SECONDS = 60.0
OUTPUT = (1, 2)


def run(
    words: Sequence[str], environment: Mapping[str, str], folder: Path = CHECKOUT
) -> "subprocess.CompletedProcess[str]":
    """Runs `quickthumb` with these words to its end, in a folder, with no other environment."""
    command = [sys.executable, "-m", "quickthumb", *words]
    if "forkserver" not in multiprocessing.get_all_start_methods():  # Windows
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=SECONDS
        )
    with tempfile.TemporaryDirectory() as name:
        said = [Path(name) / str(descriptor) for descriptor in OUTPUT]
        code = _forked([*words], dict(environment), folder, said)
        return subprocess.CompletedProcess(command, code, *(path.read_text() for path in said))


def _forked(words: list[str], environment: dict[str, str], folder: Path, said: list[Path]) -> int:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*PRELOADED])
    process = context.Process(target=_command, args=(words, environment, folder, said))
    process.start()
    process.join(SECONDS)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise subprocess.TimeoutExpired(words, SECONDS)
    code = process.exitcode
    process.close()
    return code


def _command(words: list[str], environment: dict[str, str], folder: Path, said: list[Path]) -> None:
    for descriptor, path in zip(OUTPUT, said, strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), descriptor)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["quickthumb", *words]
    from quickthumb.cli import main  # only the forked process needs it

    sys.exit(main())

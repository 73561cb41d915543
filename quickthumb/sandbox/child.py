"""The sandbox process: `python -m quickthumb.sandbox.child <confinement as JSON>` renders one suspicious image.

It reads one request from standard input, writes one answer to standard output, and exits. It opens no connections and
reads no configuration.
"""

from quickthumb import loading

loading.pause()

import contextlib
import os
import sys
from pathlib import Path
from typing import BinaryIO

from quickthumb.imaging.engine import Rendering, render
from quickthumb.imaging.header import LONGEST_SIGNATURE, read_header_of_file, recognize
from quickthumb.imaging.memory import estimate_decode_bytes
from quickthumb.model.errors import BrokenImage, QuickThumbError, UnsupportedImage
from quickthumb.model.output import Output
from quickthumb.sandbox.limits import confine, enclose
from quickthumb.sandbox.protocol import Answer, Confinement, Refusal, Request, memory_exceeded

loading.loaded()

# What the process takes before it opens an image (measured: 20 MiB), plus what codecs take for themselves.
OWN_BYTES = 48 * 1024 * 1024


def main() -> None:
    confinement = Confinement.model_validate_json(sys.argv[1])
    confine(confinement)
    output = _own_output()
    request = Request.model_validate_json(sys.stdin.buffer.read())
    _load_decoder(request.source)
    enclose(request.source, request.folder)
    answer = _answer(request, confinement.memory_bytes)
    output.write(answer.model_dump_json().encode())
    output.flush()
    # Skips the libraries' cleanup, which may crash after a hostile image.
    os._exit(0)


def _load_decoder(source: Path) -> None:
    """Loads what the source's decoder needs: once the process is enclosed, it can load nothing more."""
    with source.open("rb") as file, contextlib.suppress(UnsupportedImage, ImportError):
        recognize(file.read(LONGEST_SIGNATURE)).decoder.load()


def _own_output() -> BinaryIO:
    """The pipe to the parent. Whatever libraries print goes to standard error instead."""
    output = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(output, "wb")


def _answer(request: Request, memory_bytes: int) -> Answer:
    try:
        return Answer(rendering=_rendered(request))
    except BrokenImage as error:
        return Answer(
            refusal=Refusal.of(memory_exceeded(memory_bytes) if _is_too_large(request, memory_bytes) else error)
        )
    except QuickThumbError as error:
        return Answer(refusal=Refusal.of(error))
    except MemoryError:
        # Caught here, outside the decoder, where the decoder's memory is free again.
        return Answer(refusal=Refusal.of(memory_exceeded(memory_bytes)))
    except OSError as error:
        if error.errno is None:
            raise
        return Answer(machine_errno=error.errno, needed_bytes=getattr(error, "needed_bytes", None))


def _rendered(request: Request) -> Rendering:
    outputs = _outputs(request)
    return render(request.source, outputs, request.folder, request.limits, keeps_label=request.keeps_label)


def _outputs(request: Request) -> list[Output]:
    return [Output.model_validate(parameters) for parameters in request.outputs]


def _is_too_large(request: Request, memory_bytes: int) -> bool:
    """Whether the image may have needed more memory than it was allowed: many decoders report an image as broken when
    they run out of memory."""
    try:
        header = read_header_of_file(request.source)
    except QuickThumbError:
        return False
    size_bytes = estimate_decode_bytes(
        format=header.format,
        width=header.width,
        height=header.height,
        outputs=_outputs(request),
        progressive=True,
        worst=True,  # the header does not say
    )
    return size_bytes + OWN_BYTES > memory_bytes


if __name__ == "__main__":
    main()

"""The files of the pages for people: scripts, styles and pictures of this package, under URLs that never change their
meaning.

All files are read once, when the process starts, and are served from memory. The URL of each has a hash over all of
them, so browsers may keep a file forever and scripts find each other by relative names.
"""

import gzip
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

FOLDER = Path(__file__).parent / "site"
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
# A year, which is what browsers take for forever.
FOREVER = "public, max-age=31536000, immutable"
VERSION_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, as it is and compressed."""

    content: bytes
    compressed: bytes
    media_type: str

    def response(self, headers: Headers) -> Response:
        """The file for a request with these headers."""
        answer = {"Cache-Control": FOREVER, "Vary": "Accept-Encoding"}
        if "gzip" in headers.get("accept-encoding", ""):
            return Response(self.compressed, headers=answer | {"Content-Encoding": "gzip"}, media_type=self.media_type)
        return Response(self.content, headers=answer, media_type=self.media_type)


class Assets:
    """The files below a folder by their paths. They are read when the first is asked for."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder

    @cached_property
    def files(self) -> dict[str, Asset]:
        """Every file that a browser may ask for, by its path relative to the folder."""
        return {path.relative_to(self._folder).as_posix(): _read(path) for path in sorted(self._paths())}

    @cached_property
    def version(self) -> str:
        """A hash over all files and their names."""
        digest = hashlib.sha256()
        for name, asset in self.files.items():
            digest.update(b"%d:%b%d:%b" % (len(name), name.encode(), len(asset.content), asset.content))
        return digest.hexdigest()[:VERSION_DIGITS]

    def _paths(self) -> Iterator[Path]:
        return (path for path in self._folder.rglob("*") if path.suffix in MEDIA_TYPES)

    async def serve(self, request: Request) -> Response:
        """The file `path` of this `version`; 404 for any other, which an older or newer release may have."""
        asset = self.files.get(request.path_params["path"])
        if asset is None or request.path_params["version"] != self.version:
            return PlainTextResponse("There is no such file.", 404, {"Cache-Control": "no-store"})
        return asset.response(request.headers)


def _read(path: Path) -> Asset:
    content = path.read_bytes()
    return Asset(content, gzip.compress(content, mtime=0), MEDIA_TYPES[path.suffix])


ASSETS = Assets()

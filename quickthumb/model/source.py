"""The source: a picture submitted by a client, as an asset of its own. Several jobs may share one source."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from quickthumb.model.allowance import NO_BOUNDS, Bounds


class SourceState(StrEnum):
    """How much is known about a source."""

    EXPECTED = "expected"  # some bytes are missing: they are still arriving, or have yet to be fetched
    RECEIVED = "received"  # all bytes are here, but the header has not been read
    IDENTIFIED = "identified"  # all bytes are here, and the header has been read: format and size are known


class Source(BaseModel):
    """A picture: the client's name for it, and the facts found out about it. Sizes are in pixels and bytes.

    A fact is null until it is known. Once a job is DONE, extra fields hold whatever else the worker found out.
    """

    model_config = ConfigDict(frozen=True, extra="allow", json_schema_serialization_defaults_required=True)

    filename: str | None = Field(None, description="The client's name for the file; only shown, never used as a path.")
    format: str | None = Field(None, description="The image format of the bytes.", examples=["jpeg"])
    width: int | None = Field(None, description="Width of the upright picture in pixels.", examples=[2725])
    height: int | None = Field(None, description="Height of the upright picture in pixels.", examples=[2225])
    bytes: int | None = Field(None, description="Size of the uploaded image, in bytes.", examples=[829183])
    sha256: str | None = Field(None, description="SHA-256 of the image's bytes, in hexadecimal.")

    @property
    def state(self) -> SourceState:
        """How much is known so far."""
        if self.bytes is None or self.sha256 is None:
            return SourceState.EXPECTED
        if self.format is None or self.width is None or self.height is None:
            return SourceState.RECEIVED
        return SourceState.IDENTIFIED


class Fetch(BaseModel):
    """A source that workers are to fetch: its whole URL, and how large its submitter's pictures may be.

    The query of a URL may hold a secret, so only the record has this; everybody else sees `Source.url`.
    """

    model_config = ConfigDict(frozen=True)

    url: str
    bounds: Bounds = NO_BOUNDS

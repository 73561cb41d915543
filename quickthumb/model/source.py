"""The source: a picture that was handed in, as an asset of its own. Jobs may share one."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class SourceState(StrEnum):
    """How much is known of a source."""

    EXPECTED = "expected"  # its bytes are not all here: they are still arriving, or are yet to be fetched
    RECEIVED = "received"  # all bytes are here; nobody has read the header
    IDENTIFIED = "identified"  # all bytes are here, and the header has told the format and the size


class Source(BaseModel):
    """A picture: as the client named it, and as it was found to be. Sizes are in pixels and bytes.

    A fact is null until it is known. Once a job is DONE, whatever else the worker found out about the picture is kept
    next to these.
    """

    model_config = ConfigDict(frozen=True, extra="allow", json_schema_serialization_defaults_required=True)

    filename: str | None = Field(None, description="The client's name for the file; shown, never used as a path.")
    format: str | None = Field(None, description="The image format that the bytes are in.", examples=["jpeg"])
    width: int | None = Field(None, description="Width in pixels, upright once the job is DONE.", examples=[2725])
    height: int | None = Field(None, description="Height in pixels, upright once the job is DONE.", examples=[2225])
    bytes: int | None = Field(None, description="Size of the upload's image in bytes.", examples=[829183])
    sha256: str | None = Field(None, description="SHA-256 of the image's bytes, in hexadecimal.")

    @property
    def state(self) -> SourceState:
        """What is known by now."""
        if self.bytes is None or self.sha256 is None:
            return SourceState.EXPECTED
        if self.format is None or self.width is None or self.height is None:
            return SourceState.RECEIVED
        return SourceState.IDENTIFIED

"""The source: a picture that was handed in."""

from pydantic import BaseModel, ConfigDict, Field


class Source(BaseModel):
    """The uploaded image: as the client named it, and as it was found to be. Sizes are in pixels and bytes.

    Once the job is DONE, what else the worker found out about the picture stands beside these.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    filename: str | None = Field(None, description="The client's name for the file; shown, never used as a path.")
    format: str = Field(description="The image format that the bytes are in.", examples=["jpeg"])
    width: int = Field(description="Width in pixels, upright once the job is DONE.", examples=[2725])
    height: int = Field(description="Height in pixels, upright once the job is DONE.", examples=[2225])
    bytes: int = Field(description="Size of the upload's image in bytes.", examples=[829183])
    sha256: str = Field(description="SHA-256 of the image's bytes, in hexadecimal.")

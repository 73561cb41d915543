"""How much a key, a tenant or an address may demand: of one request, and over time."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

_Count = Annotated[int | None, Field(ge=1)]


class Bounds(BaseModel):
    """What one request may demand at most. None: as much as the settings admit. A bound never admits more than they do.

    With `presets`, a request may name only these presets, and no outputs of its own; without naming any, it gets the
    first of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    presets: Annotated[tuple[str, ...] | None, Field(min_length=1, description="Presets that may be used.")] = None
    max_bytes: _Count = Field(None, description="Size of an image in bytes.")
    max_pixels: _Count = Field(None, description="Pixels of an image: width × height.")
    max_outputs: _Count = Field(None, description="Outputs of a job.")
    max_output_pixels: _Count = Field(None, description="Pixels in all outputs of a job together.")


class Quotas(BaseModel):
    """What may be demanded over time, or at the same time. None: without limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    requests_per_minute: _Count = Field(None, description="Requests within a minute.")
    uploads_per_hour: _Count = Field(None, description="Accepted images within an hour.")
    upload_bytes_per_day: _Count = Field(None, description="Bytes of accepted images within a day.")
    output_pixels_per_hour: _Count = Field(None, description="Pixels in the outputs of accepted jobs within an hour.")
    unended_jobs: _Count = Field(None, description="Jobs that are WAITING or IN_PROGRESS at the same time.")
    stored_bytes: _Count = Field(None, description="Bytes of all sources and results that are kept.")
    event_streams: _Count = Field(None, description="Streams of events that are open at the same time.")

    @property
    def limit_anything(self) -> bool:
        return self != NO_QUOTAS

    def or_else(self, others: "Quotas") -> "Quotas":
        """These quotas, and the others where these are without limit."""
        given: dict[str, Any] = self.model_dump(exclude_none=True)
        return others.model_copy(update=given)


NO_BOUNDS = Bounds()
NO_QUOTAS = Quotas()

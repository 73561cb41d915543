"""Upload policies: what a backend lets a browser upload, in words that it has signed."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from quickthumb.model.allowance import Bounds
from quickthumb.model.api_key import TENANT
from quickthumb.model.caller import DEFAULT_TENANT
from quickthumb.model.errors import InvalidParameter
from quickthumb.model.output import Output

# The form field that holds the policy.
FIELD = "policy"
# Each use is an object in the storage, and each is looked for when the policy is used again.
MOST_USES = 100
# The parameters that say what is made of an image. A browser may send these, and nothing else of an order: what its job
# costs, how long it is kept and whom it tells is for the backend to say.
_MAKING = frozenset({"preset", "outputs", *Output.model_fields})

_Count = Annotated[int | None, Field(ge=1)]


class Terms(BaseModel):
    """What the JSON of a policy says. Anything else in it is refused: it may be a misspelt limit."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    expires: int = Field(description="When the policy expires, in seconds since 1970. At most 7 days ahead.")
    tenant: str = Field(DEFAULT_TENANT, pattern=rf"^{TENANT.pattern}$", description="Whose the job is to be.")
    presets: Annotated[
        tuple[str, ...] | None, Field(min_length=1, description="Presets that may be asked for; the first by default.")
    ] = None
    outputs: Annotated[
        tuple[dict[str, Any], ...] | None,
        Field(min_length=1, description="The outputs to make. The browser may then ask for none."),
    ] = None
    max_bytes: _Count = Field(None, description="Size of the image in bytes.")
    max_pixels: _Count = Field(None, description="Pixels of the image: width × height.")
    max_uses: Annotated[int, Field(ge=1, le=MOST_USES, description="How many images may be uploaded with it.")] = 1
    origin: str | None = Field(None, description="The only origin whose pages may use it, as browsers send it.")
    idempotency_key: str | None = Field(
        None,
        pattern=r"^[ -~]{1,255}$",
        description="The Idempotency-Key of the upload: a retry returns the first job, and is no further use.",
    )
    fields: dict[str, Any] = Field(
        {},
        description="Other fields of the order, such as `tag`, `context`, `keep` and `priority`, as in a JSON body.",
    )
    id: str | None = Field(
        None,
        max_length=255,
        description="Makes the policy differ from others that say the same, and counts for nothing else.",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if self.presets is not None and self.outputs is not None:
            raise ValueError("presets and outputs exclude each other")
        return self

    @field_validator("fields")
    @classmethod
    def _are_others(cls, fields: dict[str, Any]) -> dict[str, Any]:
        for name in fields:
            if name in _MAKING:
                raise ValueError(f"what is made is said by presets or outputs, not by fields.{name}")
        return fields


@dataclass(frozen=True, slots=True)
class UploadPolicy:
    """A policy whose signature is right. `digest` is the SHA-256 of its text in hex: what it is known by."""

    terms: Terms
    digest: str

    @property
    def bounds(self) -> Bounds:
        """What one upload may demand."""
        terms = self.terms
        return Bounds(presets=terms.presets, max_bytes=terms.max_bytes, max_pixels=terms.max_pixels)

    def idempotency_key(self, given: str | None) -> str | None:
        """The Idempotency-Key of an upload whose browser sent `given`.

        A key of the browser's own is good for this policy only, so that it can neither take nor guess the keys of the
        tenant.
        """
        if self.terms.idempotency_key is not None or given is None:
            return self.terms.idempotency_key
        return f"policy {self.digest} {given}"

    def applied(self, fields: Iterable[tuple[str, Any]]) -> tuple[tuple[str, Any], ...]:
        """The fields of a request, with those that the policy sets, and without the policy itself.

        Raises InvalidParameter if the request has another field of an order than those that say what to make, or has
        such a field although the policy has the outputs. A blank field counts as not given.
        """
        given = tuple((name, value) for name, value in fields if name != FIELD and value != "")
        for name, _ in given:
            if name not in _MAKING:
                raise InvalidParameter("A policy lets no browser send this; `fields` of the policy can.", field=name)
            if self.terms.outputs is not None:
                raise InvalidParameter("The policy says what is made of the image, so the request may not.", field=name)
        if self.terms.outputs is not None:
            given = (*given, ("outputs", list(self.terms.outputs)))
        return (*given, *self.terms.fields.items())

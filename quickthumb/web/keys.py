"""`/keys`: which API keys there are, and how much of their quotas is used. Keys are made on the command line only."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from quickthumb.http.endpoints import json_answer
from quickthumb.http.requests import caller_of, keyring_of, limiter_of
from quickthumb.model.api_key import ApiKey
from quickthumb.model.caller import Scope
from quickthumb.model.quota import WINDOW_SECONDS, Standing
from quickthumb.service.quotas import Limiter
from quickthumb.web.presentation import Moment


class BoundsView(BaseModel):
    """What one request with a key may demand at most; null where only the settings bound it."""

    model_config = ConfigDict(from_attributes=True)

    presets: list[str] | None = Field(description="The presets that it may name, and no others.")
    max_bytes: int | None = Field(description="Size of an image in bytes.")
    max_pixels: int | None = Field(description="Pixels of an image: width × height.")
    max_outputs: int | None = Field(description="Outputs of a job.")
    max_output_pixels: int | None = Field(description="Pixels in all outputs of a job together.")


class QuotaView(BaseModel):
    """One quota of a key."""

    quota: str = Field(examples=["uploads_per_hour"])
    most: int = Field(examples=[500])
    used: int | None = Field(description="How much of it is used now; null if nobody can tell.", examples=[12])
    window_seconds: int | None = Field(description="null if it counts what is there at the same time.")


class KeyView(BaseModel):
    """An API key, without what one could send."""

    id: str = Field(examples=["4hVq0zTn8sLb"])
    tenant: str = Field(examples=["shop"])
    name: str = Field(description="Its note.", examples=["web shop"])
    scopes: list[Scope]
    created_at: Moment = Field(description="When it was made; a key that was rotated is a new one.")
    ends_at: Moment | None = Field(description="When it expires, or has expired or was revoked; null if never.")
    revoked: bool
    bounds: BoundsView
    quotas: list[QuotaView] = Field(description="What it may demand over time.")


class KeysView(BaseModel):
    """API keys, oldest first."""

    keys: list[KeyView]


async def list_all(request: Request) -> Response:
    """Lists the API keys of the caller's tenant, those that have ended too; for the tenant `default`, all keys. Nothing
    in the list can be used as a key."""
    caller, limiter = caller_of(request), limiter_of(request)
    keys = [key for key in keyring_of(request).all() if caller.runs_deployment or key.tenant == caller.tenant]
    standings = await limiter.standings(keys)
    view = KeysView(keys=[_view(key, limiter, standings) for key in keys])
    return json_answer(view, headers={"Cache-Control": "no-store"})


def _view(key: ApiKey, limiter: Limiter, standings: Mapping[str, Sequence[Standing]]) -> KeyView:
    used = {one.policy.quota: one.policy.most - one.remaining for one in standings.get(key.id, ())}
    quotas = [
        QuotaView(quota=name, most=most, used=used.get(name), window_seconds=WINDOW_SECONDS.get(name))
        for name, most in limiter.quotas_of(key).model_dump(exclude_none=True).items()
    ]
    return KeyView(
        id=key.id,
        tenant=key.tenant,
        name=key.note,
        scopes=sorted(key.scopes),
        created_at=key.created_at,
        ends_at=key.ends_at,
        revoked=key.revoked,
        bounds=BoundsView.model_validate(key.bounds),
        quotas=quotas,
    )

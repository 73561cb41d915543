"""The webhooks of a deployment. The storage has them, and each process knows them.

A webhook is one small object, `webhooks/{id}.json`, which never changes. Another secret and its end are objects of
their own beside it, so that none is ever replaced. Redis knows nothing of webhooks.
"""

import logging
import re
import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from pydantic import BaseModel, ValidationError

from quickthumb.model.job import Job, Outcome, new_id
from quickthumb.model.webhook import OF_END, Delivery, EventType, Secret, Webhook, message_of, new_secret
from quickthumb.storage import Storage
from quickthumb.storage.registry import Registry

log = logging.getLogger("quickthumb.webhook")

FOLDER = "webhooks/"
OBJECT = re.compile(rf"{FOLDER}(?P<id>[0-9a-f]{{32}})(?:\.(?P<part>secret|end)\.[0-9a-f]+)?\.json")


class _End(BaseModel):
    """What ends a webhook, and why: for the log."""

    ended_at: datetime
    reason: str = ""


_Object = Webhook | Secret | _End
KINDS: Mapping[str | None, type[Webhook] | type[Secret] | type[_End]] = {None: Webhook, "secret": Secret, "end": _End}


class Webhooks:
    """The webhooks as this process knows them. Until the first `refresh` there are none."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._registry: Registry[_Object] = Registry(storage, FOLDER, _understood)
        self._known: dict[str, Webhook] = {}
        self._in_use: dict[str, list[Webhook]] = {}

    @property
    def are_known(self) -> bool:
        """Whether they were read once."""
        return self._registry.is_read

    async def refresh(self) -> None:
        """Reads what was made since the last call. Raises what `Storage.list` raises; then what is known stays."""
        if not await self._registry.refresh():
            return
        self._known = _put_together(self._registry.objects)
        in_use: defaultdict[str, list[Webhook]] = defaultdict(list)
        for webhook in sorted(self._known.values(), key=lambda one: (one.created_at, one.id)):
            if webhook.ended_at is None:
                in_use[webhook.tenant].append(webhook)
        self._in_use = dict(in_use)

    def of(self, tenant: str) -> Sequence[Webhook]:
        """Those of a tenant that are in use, oldest first."""
        return self._in_use.get(tenant, ())

    def get(self, webhook_id: str) -> Webhook | None:
        """The webhook with this id, also if it has ended."""
        return self._known.get(webhook_id)

    async def create(
        self, tenant: str, url: str, events: Iterable[EventType], description: str, moment: datetime
    ) -> Webhook:
        """Makes a webhook, with a secret."""
        webhook = Webhook(
            id=new_id(),
            tenant=tenant,
            url=url,
            events=tuple(events),
            description=description,
            created_at=moment,
            secrets=(Secret(text=new_secret(), created_at=moment),),
        )
        await self._storage.put(f"{FOLDER}{webhook.id}.json", webhook.model_dump_json(exclude_none=True).encode())
        await self.refresh()
        return webhook

    async def rotate(self, webhook: Webhook, moment: datetime) -> Secret:
        """Gives a webhook another secret. The old one signs for a while, too."""
        secret = Secret(text=new_secret(), created_at=moment)
        await self._put_beside(webhook, "secret", secret)
        return secret

    async def end(self, webhook: Webhook, moment: datetime, reason: str) -> None:
        """Ends a webhook, if it has not ended."""
        await self._put_beside(webhook, "end", _End(ended_at=moment, reason=reason))
        log.info("webhook %s has ended: %s", webhook.id, reason)

    async def _put_beside(self, webhook: Webhook, part: str, fact: BaseModel) -> None:
        name = f"{FOLDER}{webhook.id}.{part}.{secrets.token_hex(8)}.json"
        await self._storage.put(name, fact.model_dump_json().encode())
        await self.refresh()


def owed(webhooks: Webhooks, job: Job, outcome: Outcome) -> list[Delivery]:
    """What is to be delivered because the job has ended: to the URL that came with it, and to each webhook of its
    tenant that wants to know and was there when the job ended. The same call gives the same ids."""
    event, moment = OF_END[outcome.status], outcome.finished_at
    receivers: list[tuple[str, str | None]] = [
        (webhook.url, webhook.id)
        for webhook in webhooks.of(job.tenant)
        if event in webhook.events and webhook.created_at <= moment
    ]
    own_url: str | None = job.order.get("webhook")
    if own_url is not None:
        receivers.append((own_url, None))
    return [_delivery(job, event, moment, url, webhook_id) for url, webhook_id in receivers]


def _delivery(job: Job, event: EventType, moment: datetime, url: str, webhook_id: str | None) -> Delivery:
    message_id = message_of(event, job.id, moment, webhook_id or url)
    return Delivery(
        id=message_id,
        message_id=message_id,
        tenant=job.tenant,
        event=event,
        url=url,
        webhook_id=webhook_id,
        job_id=job.id,
        created_at=moment,
    )


def _understood(name: str, data: bytes | None) -> _Object | None:
    place = OBJECT.fullmatch(name)
    if place is None or data is None:
        log.warning("%s in the data folder is no webhook; it is ignored", name)
        return None
    kind = KINDS[place["part"]]
    try:
        return kind.model_validate_json(data)
    except ValidationError:
        # The words of the error would show the secret.
        log.warning("%s in the data folder cannot be read", name)
        return None


def _put_together(objects: Mapping[str, _Object]) -> dict[str, Webhook]:
    """The webhooks by their ids, each with all its secrets, the newest first, and the earliest of its ends."""
    found = {one.id: one for one in objects.values() if isinstance(one, Webhook)}
    more: defaultdict[str, list[Secret]] = defaultdict(list)
    ends: defaultdict[str, list[datetime]] = defaultdict(list)
    for name, one in objects.items():
        place = OBJECT.fullmatch(name)
        if place is not None and isinstance(one, Secret):
            more[place["id"]].append(one)
        elif place is not None and isinstance(one, _End):
            ends[place["id"]].append(one.ended_at)
    return {
        webhook_id: webhook.model_copy(
            update={
                "secrets": tuple(sorted((*webhook.secrets, *more[webhook_id]), key=_age, reverse=True)),
                "ended_at": min(ends[webhook_id], default=None),
            }
        )
        for webhook_id, webhook in found.items()
    }


def _age(secret: Secret) -> datetime:
    return secret.created_at

"""The webhooks of a deployment. The storage has them, and each process knows them.

A webhook is one small object, `webhooks/{id}.json`, which never changes. Another secret, and the mark that its server
is gone, are objects of their own beside it, so that none is ever replaced. Redis knows nothing of webhooks.
"""

import logging
import re
import secrets
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import BaseModel, ValidationError

from quickthumb.model.batch import BatchEnd, BatchRecord
from quickthumb.model.job import Job, Outcome, new_id, now
from quickthumb.model.webhook import OF_END, Delivery, EventType, Secret, Webhook, message_of, new_secret
from quickthumb.storage import Storage
from quickthumb.storage.layout import WEBHOOKS
from quickthumb.storage.registry import Registry

log = logging.getLogger("quickthumb.webhook")

FOLDER = f"{WEBHOOKS}/"
OBJECT = re.compile(rf"{FOLDER}(?P<id>[0-9a-f]{{32}})(?:\.(?P<part>secret|gone)\.[0-9a-f]+)?\.json")


class _Gone(BaseModel):
    """A webhook's server has said that it is gone."""

    gone_at: datetime


_Object = Webhook | Secret | _Gone
KINDS: Mapping[str | None, type[Webhook] | type[Secret] | type[_Gone]] = {
    None: Webhook,
    "secret": Secret,
    "gone": _Gone,
}


class Webhooks:
    """The webhooks as this process knows them. Until the first `refresh` there are none."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._registry: Registry[_Object] = Registry(storage, FOLDER, _understood)
        self._known: dict[str, Webhook] = {}
        self._in_use: dict[str, tuple[Webhook, ...]] = {}

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
        for webhook in self._known.values():
            if webhook.gone_at is None:
                in_use[webhook.tenant].append(webhook)
        self._in_use = {tenant: tuple(webhooks) for tenant, webhooks in in_use.items()}

    def of(self, tenant: str) -> Sequence[Webhook]:
        """Those of a tenant that are in use."""
        return self._in_use.get(tenant, ())

    def all(self, tenant: str) -> list[Webhook]:
        """Those of a tenant, oldest first, also those that are gone."""
        own = (webhook for webhook in self._known.values() if webhook.tenant == tenant)
        return sorted(own, key=lambda one: (one.created_at, one.id))

    def get(self, webhook_id: str) -> Webhook | None:
        """The webhook with this id, also if it is gone."""
        return self._known.get(webhook_id)

    async def find(self, webhook_id: str) -> Webhook | None:
        """What `get` finds, also if it was made only just now. Raises what `Storage.list` raises."""
        if webhook_id not in self._known:
            await self.refresh()
        return self.get(webhook_id)

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
        """Gives a webhook another secret. The old one signs for a while, too; those that sign no longer are removed."""
        secret = Secret(text=new_secret(), created_at=moment)
        await self._put_beside(webhook, "secret", secret)
        # Somebody else may have replaced it, too, at the same time: then both are new.
        signing = (self.get(webhook.id) or webhook).signing(moment)
        for name, one in list(self._beside(webhook)):
            if isinstance(one, Secret) and one.text not in signing:
                await self._storage.delete(name)
        await self.refresh()
        return secret

    async def end(self, webhook: Webhook, moment: datetime) -> None:
        """Notes that a webhook's server is gone."""
        await self._put_beside(webhook, "gone", _Gone(gone_at=moment))
        await self.refresh()
        log.warning("webhook %s: its server answered 410 Gone; nothing more is sent there", webhook.id)

    async def remove(self, webhook: Webhook) -> None:
        """Removes a webhook for good."""
        await self._storage.delete(f"{FOLDER}{webhook.id}.json")  # what is beside it means nothing alone
        for name, _ in list(self._beside(webhook)):
            await self._storage.delete(name)
        await self.refresh()
        log.info("webhook %s was deleted", webhook.id)

    def _beside(self, webhook: Webhook) -> Iterator[tuple[str, _Object]]:
        """What is stored of a webhook beside itself."""
        start = f"{FOLDER}{webhook.id}."
        return (
            (name, one)
            for name, one in self._registry.objects.items()
            if name.startswith(start) and not isinstance(one, Webhook)
        )

    async def _put_beside(self, webhook: Webhook, part: str, fact: BaseModel) -> None:
        await self._storage.put(
            f"{FOLDER}{webhook.id}.{part}.{secrets.token_hex(8)}.json", fact.model_dump_json().encode()
        )
        await self.refresh()


def owed(webhooks: Iterable[Webhook], job: Job, outcome: Outcome) -> list[Delivery]:
    """What is to be delivered because the job has ended: to the URL that came with it, and to each of the webhooks that
    wants to know and was there when the job ended. The same call gives the same ids."""
    end = _End(OF_END[outcome.status], outcome.finished_at, job.tenant, job_id=job.id)
    return [_delivery(end, url, webhook_id) for url, webhook_id in _receivers(webhooks, end, job.order.get("webhook"))]


def owed_for_batch(webhooks: Iterable[Webhook], record: BatchRecord, end: BatchEnd) -> list[Delivery]:
    """What is to be delivered because the batch has ended, in the same way."""
    ended = _End(EventType.BATCH_DONE, end.finished_at, record.tenant, batch_id=record.id)
    return [_delivery(ended, url, webhook_id) for url, webhook_id in _receivers(webhooks, ended, record.webhook)]


@dataclass(frozen=True, slots=True)
class _End:
    """What there is to tell: the end of a job or of a batch."""

    event: EventType
    moment: datetime
    tenant: str
    job_id: str | None = None
    batch_id: str | None = None


def _receivers(webhooks: Iterable[Webhook], end: _End, own_url: str | None) -> list[tuple[str, str | None]]:
    """The URLs to post to, each with the id of its webhook, if it has one."""
    found: list[tuple[str, str | None]] = [
        (webhook.url, webhook.id)
        for webhook in webhooks
        if end.event in webhook.events and webhook.created_at <= end.moment
    ]
    return found if own_url is None else [*found, (own_url, None)]


def _delivery(end: _End, url: str, webhook_id: str | None) -> Delivery:
    message_id = message_of(end.event, end.job_id or end.batch_id or "", end.moment, webhook_id or url)
    return Delivery(
        id=message_id,
        message_id=message_id,
        tenant=end.tenant,
        event=end.event,
        url=url,
        webhook_id=webhook_id,
        job_id=end.job_id,
        batch_id=end.batch_id,
        happened_at=end.moment,
        created_at=now(),
    )


def _understood(name: str, data: bytes | None) -> _Object | None:
    place = OBJECT.fullmatch(name)
    if place is None:
        log.warning("%s in the data folder is no webhook; it is ignored", name)
        return None
    kind = KINDS[place["part"]]
    try:
        return kind.model_validate_json(data or b"")
    except ValidationError:
        # The words of the error would show the secret.
        log.warning("%s in the data folder cannot be read", name)
        return None


def _put_together(objects: Mapping[str, _Object]) -> dict[str, Webhook]:
    """The webhooks by their ids, each with all its secrets, the newest first, and with when it was gone."""
    secrets_of: defaultdict[str, list[Secret]] = defaultdict(list)
    gone: dict[str, datetime] = {}
    for name, one in objects.items():
        place = OBJECT.fullmatch(name)
        if place is not None and isinstance(one, Secret):
            secrets_of[place["id"]].append(one)
        elif place is not None and isinstance(one, _Gone):
            gone[place["id"]] = min(one.gone_at, gone.get(place["id"], one.gone_at))
    return {
        webhook.id: webhook.model_copy(
            update={
                "secrets": tuple(sorted((*webhook.secrets, *secrets_of[webhook.id]), key=_age, reverse=True)),
                "gone_at": gone.get(webhook.id),
            }
        )
        for webhook in objects.values()
        if isinstance(webhook, Webhook)
    }


def _age(secret: Secret) -> datetime:
    return secret.created_at

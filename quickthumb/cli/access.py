"""Who is let in: whether a server may start, and what `quickthumb doctor` says of its API keys."""

import asyncio
from collections.abc import Iterator, Sequence

from quickthumb.cli.command import UserMistake
from quickthumb.cli.findings import Finding, Level
from quickthumb.config import Config
from quickthumb.http.authority import is_loopback
from quickthumb.model.api_key import ApiKey
from quickthumb.model.caller import DEFAULT_TENANT
from quickthumb.model.errors import QuickThumbError, for_operators
from quickthumb.model.job import now
from quickthumb.service.keys import FOLDER, Keyring
from quickthumb.service.presets import TenantPresets
from quickthumb.starting import presets_of
from quickthumb.storage import FileStorage


def check(config: Config) -> None:
    """Raises UserMistake if others than this machine can reach the service, nobody needs a key, and nobody has said
    that it is meant to be so."""
    if config.web.open_access or is_loopback(config.web.host) or _has_keys(config):
        return
    raise UserMistake(
        f"HOST is {config.web.host}, so other machines reach this service, and it has no API key: make one with "
        "`quickthumb keys create`, or set QUICKTHUMB_OPEN_ACCESS=yes to let everybody in who reaches it."
    )


def findings(config: Config) -> Iterator[Finding]:
    """What is to be said of who is let in; nothing of a service without keys that only this machine reaches."""
    try:
        check(config)
    except UserMistake as mistake:
        yield Finding(Level.FAILURE, "keys", str(mistake))
        return
    keys: list[ApiKey] = []
    keyring = Keyring(FileStorage(config.storage.data_dir))
    if _has_keys(config):
        try:
            asyncio.run(keyring.refresh())
        except QuickThumbError as error:
            yield Finding(Level.FAILURE, "keys", f"{for_operators(error).removesuffix('.')}.")
            return
        keys = keyring.all()
        yield from _of_keys(keys, presets_of(config))
        if keyring.unreadable:
            files = f"{keyring.unreadable} of the files in {config.storage.data_dir / FOLDER}"
            told = f"{files} cannot be read: a key among them is unknown, and an end has ended its key."
            yield Finding(Level.WARNING, "keys", told)
    elif config.web.open_access:
        told = "There is no API key, so everybody who can reach the service may do everything (OPEN_ACCESS)."
        yield Finding(Level.WARNING, "keys", told)
    yield from _of_tenants(config, keys)


def _of_keys(keys: Sequence[ApiKey], presets: TenantPresets) -> Iterator[Finding]:
    valid = [key for key in keys if not key.has_ended(now())]
    if not valid:
        told = "No API key is valid, so nobody is let in; make one with `quickthumb keys create`."
        yield Finding(Level.WARNING, "keys", told)
        return
    yield Finding(Level.OK, "keys", f"{len(valid)} valid, {len(keys) - len(valid)} ended.")
    for tenant in sorted({key.tenant for key in keys} - {key.tenant for key in valid}):
        told = f"All keys of the tenant {tenant} have ended; make one with `quickthumb keys create --tenant {tenant}`."
        yield Finding(Level.WARNING, "keys", told)
    for key in valid:
        missing = [name for name in key.bounds.presets or () if name not in presets.of(key.tenant)]
        if missing:
            told = f"The key {key.id} of the tenant {key.tenant} names presets that do not exist: {', '.join(missing)}"
            yield Finding(Level.WARNING, "keys", f"{told}; define them in PRESETS or TENANTS, or make another key.")


def _of_tenants(config: Config, keys: Sequence[ApiKey]) -> Iterator[Finding]:
    """What is to be said of the entries of TENANTS: whether anybody acts for each tenant."""
    need_none = {config.compat_tenant} if keys else {config.compat_tenant, DEFAULT_TENANT}
    for tenant in sorted(config.tenants.keys() - need_none - {key.tenant for key in keys}):
        told = f"TENANTS has an entry for {tenant}, which has no key; make one with"
        yield Finding(Level.WARNING, "tenants", f"{told} `quickthumb keys create --tenant {tenant}`, or remove it.")


def _has_keys(config: Config) -> bool:
    folder = config.storage.data_dir / FOLDER
    try:
        return folder.is_dir() and any(folder.iterdir())
    except OSError as error:
        raise UserMistake(f"Cannot read {folder}: {error.strerror or error}.") from None

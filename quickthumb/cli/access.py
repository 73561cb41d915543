"""Who is let in: whether a server may start, and what `quickthumb doctor` says of its API keys."""

import asyncio
from collections.abc import Iterator

from quickthumb.cli.command import UserMistake
from quickthumb.cli.machine import Finding, Level
from quickthumb.config import Config
from quickthumb.http.authority import is_loopback
from quickthumb.model.errors import QuickThumbError, for_operators
from quickthumb.model.job import now
from quickthumb.service.keys import FOLDER, KeyStore
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
    if _has_keys(config):
        yield asyncio.run(_counted(KeyStore(FileStorage(config.storage.data_dir))))
    elif config.web.open_access:
        told = "There is no API key, so whoever reaches the service may do everything (OPEN_ACCESS)."
        yield Finding(Level.WARNING, "keys", told)


async def _counted(store: KeyStore) -> Finding:
    try:
        keys = await store.all()
    except QuickThumbError as error:
        return Finding(Level.FAILURE, "keys", f"{for_operators(error).removesuffix('.')}.")
    valid = sum(not key.has_ended(now()) for key in keys)
    if not valid:
        told = "No API key is valid, so nobody is let in; make one with `quickthumb keys create`."
        return Finding(Level.WARNING, "keys", told)
    return Finding(Level.OK, "keys", f"{valid} valid, {len(keys) - valid} ended.")


def _has_keys(config: Config) -> bool:
    folder = config.storage.data_dir / FOLDER
    try:
        return folder.is_dir() and any(folder.iterdir())
    except OSError as error:
        raise UserMistake(f"Cannot read {folder}: {error.strerror or error}.") from None

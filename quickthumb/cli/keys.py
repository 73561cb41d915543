"""`quickthumb keys`: makes, lists, revokes and rotates API keys."""

import argparse
import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from quickthumb.cli import allowances
from quickthumb.cli.command import Command, UserMistake
from quickthumb.cli.units import age
from quickthumb.config import Config, load
from quickthumb.model.allowance import Bounds, Quotas
from quickthumb.model.api_key import TENANT, ApiKey
from quickthumb.model.caller import DEFAULT_TENANT, Scope
from quickthumb.model.errors import QuickThumbError
from quickthumb.model.job import now
from quickthumb.service.guard import LOOK_SECONDS, told
from quickthumb.service.keys import KeyStore
from quickthumb.starting import presets_of, private_process
from quickthumb.storage import FileStorage
from quickthumb.storage.layout import STORE

OVERLAP = timedelta(days=1)

Action = Callable[[KeyStore, argparse.Namespace], Awaitable[None]]


def add_options(parser: argparse.ArgumentParser) -> None:
    """One subcommand for each verb."""
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    creating = _add(verbs, "create", "Make a key, and print it once.", _create)
    creating.add_argument("--tenant", type=_tenant, default=DEFAULT_TENANT, help="whose key it is (default: default)")
    creating.add_argument(
        "--scope",
        type=_scope,
        action="append",
        required=True,
        metavar="SCOPE",
        help=f"what it may do; give it several times for several: {', '.join(Scope)}",
    )
    creating.add_argument("--expires", type=age, metavar="TIME", help="when it expires: 90d, 12h (default: never)")
    creating.add_argument("--note", type=_note, default="", metavar="TEXT", help="what it is for, shown in the list")
    allowances.add_options(creating)
    listing = _add(verbs, "list", "List the keys, without their secrets.", _list)
    listing.add_argument("--json", action="store_true", help="print JSON")
    revoking = _add(verbs, "revoke", "End keys now.", _revoke)
    revoking.add_argument("ids", nargs="+", metavar="ID")
    rotating = _add(verbs, "rotate", "Make another key like an old one, which stays valid for a while.", _rotate)
    rotating.add_argument("id", metavar="ID")
    rotating.add_argument(
        "--overlap", type=age, default=OVERLAP, metavar="TIME", help="how long the old key stays valid (default: 1d)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Carry out the verb. Raises UserMistake if the storage cannot be used, or if there is no such key or preset."""
    config = load()
    if arguments.presets:
        _check_presets(config, arguments.tenant, arguments.presets)
    asyncio.run(_run(config, arguments))
    return 0


def _add(verbs: Any, name: str, help_text: str, action: Action) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=help_text, description=help_text)
    parser.set_defaults(action=action, presets=None)
    return parser


def _check_presets(config: Config, tenant: str, names: Sequence[str]) -> None:
    known = presets_of(config).of(tenant)
    for name in names:
        if name not in known:
            raise UserMistake(f"The tenant {tenant} has no preset {name!r}; its presets are {', '.join(known)}.")


async def _run(config: Config, arguments: argparse.Namespace) -> None:
    storage = FileStorage(config.storage.data_dir)
    is_new = not config.storage.data_dir.exists()
    try:
        if arguments.action is not _list:
            _check_user(config.storage.data_dir)
        with private_process(config):
            if arguments.action is _create or await storage.find_identity():
                await storage.identity()  # the folder may be new
            await arguments.action(KeyStore(storage), arguments)
            if is_new and arguments.action is _create:
                folder = config.storage.data_dir.absolute()
                print(f"The data folder {folder} is new; only a service with it knows the key.", file=sys.stderr)
    except QuickThumbError as error:
        raise UserMistake(f"{told(error).removesuffix('.')} (data folder: {config.storage.data_dir}).") from error


def _check_user(folder: Path) -> None:
    """Raises UserMistake if this is root, and the folder another user's, who could not read what root writes: the
    service would go on to accept a key that root has revoked."""
    if os.name != "posix" or os.geteuid() != 0:
        return
    identity = folder / STORE
    try:
        owner = identity.stat().st_uid
    except OSError:
        return  # the folder is new; or else the storage says what is wrong with it
    if owner == 0:
        return
    user = f"'#{owner}'"
    with contextlib.suppress(KeyError):  # there may be no name for the number
        user = identity.owner()
    raise UserMistake(
        f"The data folder {folder.absolute()} is not root's, and its user could not read what root writes there: run "
        f"this command as that user, such as with `sudo -u {user}`."
    )


async def _create(store: KeyStore, arguments: argparse.Namespace) -> None:
    ends_at = None if arguments.expires is None else now() + arguments.expires
    text, key = await store.create(
        arguments.tenant,
        arguments.scope,
        note=arguments.note,
        ends_at=ends_at,
        bounds=allowances.given(Bounds, arguments),
        quotas=allowances.given(Quotas, arguments),
    )
    _show_once(text, key)


async def _list(store: KeyStore, arguments: argparse.Namespace) -> None:
    keys = await store.all()
    if arguments.json:
        print(json.dumps([key.model_dump(mode="json", exclude={"digest"}) for key in keys], indent=2))
        return
    if not keys:
        print("The data folder (DATA_DIR) has no API keys.", file=sys.stderr)
    for key in keys:
        scopes = ",".join(sorted(key.scopes))
        columns = [key.id, key.tenant, scopes, _life(key), *allowances.told(key.bounds, key.quotas), key.note]
        print("  ".join(columns).rstrip())


async def _revoke(store: KeyStore, arguments: argparse.Namespace) -> None:
    for key in [await _found(store, key_id) for key_id in arguments.ids]:
        await store.end(key, now())
        print(f"{key.id} is revoked; every process knows within {LOOK_SECONDS:g} s.")


async def _rotate(store: KeyStore, arguments: argparse.Namespace) -> None:
    old = await _found(store, arguments.id)
    if old.has_ended(now()):
        raise UserMistake(f"The key {old.id} has ended; make a new one.")
    text, key = await store.rotate(old, now() + arguments.overlap)
    _show_once(text, key)


async def _found(store: KeyStore, key_id: str) -> ApiKey:
    for key in await store.all():
        if key.id == key_id:
            return key
    raise UserMistake(f"There is no key {key_id}; `quickthumb keys list` lists them.")


def _show_once(text: str, key: ApiKey) -> None:
    print(text)
    print(f"This is the only time that the key {key.id} is shown.", file=sys.stderr)


def _life(key: ApiKey) -> str:
    if key.ends_at is None:
        return "valid"
    ended = "revoked" if key.revoked else "expired"
    word = ended if key.has_ended(now()) else "valid until"
    return f"{word} {key.ends_at:%Y-%m-%dT%H:%M:%SZ}"


def _tenant(text: str) -> str:
    if not TENANT.fullmatch(text):
        raise argparse.ArgumentTypeError("a tenant is up to 63 lower-case letters, digits and hyphens")
    return text


def _scope(text: str) -> Scope:
    try:
        return Scope(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no scope; the scopes are {', '.join(Scope)}") from None


def _note(text: str) -> str:
    # `keys list` prints it to a terminal, which control characters would steer.
    if not text.isprintable():
        raise argparse.ArgumentTypeError("a note is one line of printable text")
    return text


COMMAND = Command(add_options, run)

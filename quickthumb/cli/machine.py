"""What `quickthumb doctor` checks on this machine: hosts, files, and what confines sandbox processes."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from quickthumb.cli.findings import Finding, Level
from quickthumb.config import ENVIRONMENT_PREFIX, SETTINGS, Config, Setting, WebSettings, settings_file
from quickthumb.sandbox import landlock, syscalls
from quickthumb.storage.layout import PROCESSED, UPLOADS
from quickthumb.storage.privacy import exposure, is_within_reach
from quickthumb.web.middleware.hosts import LOCALHOST, Hosts

GIBIBYTE = 1024**3
LOOPBACK = ("127.0.0.1", "::1", LOCALHOST)


def settings(config: Config, environment: Mapping[str, str]) -> Finding:
    """Whether a settings file with secrets in it is closed to other users. The settings themselves are valid."""
    path = settings_file(environment)
    kept_in_file = [name for name, setting in SETTINGS.items() if _is_from_file(setting, config, environment)]
    if path is None or not kept_in_file or not path.stat().st_mode & stat.S_IROTH or not is_within_reach(path):
        return Finding(Level.OK, "settings", "They are valid.")
    told = f"Every user of this machine may read {kept_in_file[0].upper()} in {path}; run `chmod o-rwx {path}`."
    return Finding(Level.WARNING, "settings", told)


def _is_from_file(setting: Setting, config: Config, environment: Mapping[str, str]) -> bool:
    """Whether the settings file sets this secret: it has a value, and not from the environment."""
    if not setting.is_secret or setting.section is None:
        return False
    named = {variable.upper() for variable in environment}
    variable = f"{ENVIRONMENT_PREFIX}{setting.name.upper()}"
    is_set = getattr(getattr(config, setting.section), setting.field) is not None
    return is_set and not named & {variable, f"{variable}_FILE"}


def hosts(web: WebSettings) -> Iterator[Finding]:
    """Which hosts requests may name, if other machines or web sites can send any."""
    if Hosts.of(web.allowed_hosts, listens_on=web.host, needs_keys=False).any_host:
        told = "Requests may name any host, so DNS rebinding works; set ALLOWED_HOSTS to the names of this service."
        yield Finding(Level.WARNING, "hosts", told)
    elif web.host not in LOOPBACK or web.allowed_hosts:
        names = ", ".join((LOCALHOST, *web.allowed_hosts))
        yield Finding(Level.OK, "hosts", f"Requests may name IP addresses, {names} (ALLOWED_HOSTS), and no other host.")


def originals(web: WebSettings) -> Iterator[Finding]:
    """Whether originals are served with the places where they were taken."""
    if web.original_metadata == "keep":
        told = "Originals tell the places where they were taken (ORIGINAL_METADATA); let only their owners reach them."
        yield Finding(Level.WARNING, "originals", told)


def folder(config: Config) -> Iterator[Finding]:
    """Whether the data folder is there, takes writes, has room, and is closed to other users."""
    place = config.storage.data_dir
    try:
        found = place.stat()
    except OSError as error:
        todo = "`quickthumb up` creates it; elsewhere, mount the volume or correct DATA_DIR"
        yield Finding(Level.FAILURE, "folder", f"Cannot use the data folder {place}: {error.strerror}; {todo}.")
        return
    if not stat.S_ISDIR(found.st_mode):
        yield Finding(Level.FAILURE, "folder", f"DATA_DIR, {place}, is not a folder.")
        return
    yield _writable(place)
    exposed = exposure(place)
    if exposed:
        yield Finding(Level.WARNING, "folder", exposed)
    yield _space(place, config.storage.uploads_leave_bytes)


def _writable(folder: Path) -> Finding:
    """Whether this process may write into the data folder and its parts, which may have other owners."""
    for part in (folder, folder / UPLOADS, folder / PROCESSED):
        if not part.is_dir():
            continue
        try:
            with tempfile.TemporaryFile(dir=part) as file:
                file.write(b"probe")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            found = part.stat()
            whose = f"mode {stat.filemode(found.st_mode)}, owner {found.st_uid}, this user {_uid()}"
            todo = "run all processes as its owner, or change the owner"
            return Finding(Level.FAILURE, "folder", f"Cannot write to {part}: {error.strerror} ({whose}); {todo}.")
    return Finding(Level.OK, "folder", f"{folder} takes writes.")


def _uid() -> int | str:
    return os.getuid() if hasattr(os, "getuid") else "unknown"


def _space(folder: Path, least_bytes: int) -> Finding:
    free_bytes = shutil.disk_usage(folder).free
    told = f"{free_bytes / GIBIBYTE:.1f} GiB are free"
    if free_bytes < least_bytes:
        todo = "make room, or uploads are refused (MIN_FREE_BYTES)"
        return Finding(Level.FAILURE, "space", f"Only {told}, less than {least_bytes / GIBIBYTE:.2f} GiB; {todo}.")
    return Finding(Level.OK, "space", f"{told}.")


def sandbox() -> Finding:
    """What a sandbox process gives up here before it looks at an image."""
    version, filters = landlock.version(), syscalls.is_available()
    if version and filters:
        told = f"Sandbox processes reach only their own files (Landlock {version}), no network and no other process."
        return Finding(Level.OK, "sandbox", told)
    lacks = "Landlock" if filters else "filters of system calls" if version else "Landlock and filters of system calls"
    told = f"This system has no {lacks}: an image that takes over its sandbox process can do what this user may."
    return Finding(Level.WARNING, "sandbox", told)

"""Whether a server may start: one that other machines reach must not be open to everybody by mistake."""

import ipaddress

from quickthumb.cli.command import UserMistake
from quickthumb.config import Config
from quickthumb.service.keys import FOLDER


def check(config: Config) -> None:
    """Raises UserMistake if others than this machine can reach the service, nobody needs a key, and nobody has said
    that it is meant to be so."""
    folder = config.storage.data_dir / FOLDER
    if config.web.open_access or _is_loopback(config.web.host) or (folder.is_dir() and any(folder.iterdir())):
        return
    raise UserMistake(
        f"HOST is {config.web.host}, so other machines reach this service, and it has no API key: make one with "
        "`quickthumb keys create`, or set QUICKTHUMB_OPEN_ACCESS=yes to let everybody in who reaches it."
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"

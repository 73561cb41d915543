"""The way to send emails where there is no mail server: each becomes a file that a mail program opens."""

import asyncio
import logging
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

from quickthumb.notify.errors import MailUnavailable

log = logging.getLogger("quickthumb.mail")

# Nobody empties the folder; so that it cannot fill the disk, the oldest messages go.
MOST_MESSAGES = 1_000


class Outbox:
    """A folder of `.eml` files."""

    def __init__(self, folder: Path, most_messages: int = MOST_MESSAGES) -> None:
        self._folder = folder
        self._most_messages = most_messages

    async def send(self, mail_id: str, message: EmailMessage) -> None:
        """Writes `{mail_id}.eml`, whole or not at all."""
        path = self._folder / f"{mail_id}.eml"
        try:
            await asyncio.to_thread(self._write, path, message.as_bytes(policy=SMTP))
        except OSError as error:
            raise MailUnavailable("The outbox cannot be written to.") from error
        log.info("mail %s: no SMTP_HOST is set, so it was written to %s", mail_id, path)

    def _write(self, path: Path, data: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(data)
        unfinished.replace(path)
        messages = sorted(self._folder.glob("*.eml"), key=lambda message: message.stat().st_mtime)
        for old in messages[: -self._most_messages]:
            old.unlink(missing_ok=True)

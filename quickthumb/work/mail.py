"""The function that the queue calls to have an email sent."""

import logging
from typing import Any

from arq import Retry

from quickthumb.work.mail_runner import MailRunner
from quickthumb.work.runner import TryAgain

MAIL_RUNNER = "mail_runner"
DISORDER_SECONDS = 2.0

log = logging.getLogger("quickthumb.mail")


async def send_email(context: dict[str, Any], mail_id: str) -> None:
    """Makes one attempt at sending an email. Tells arq to come again whenever it has not ended.

    arq takes any other exception for the end of it, and forgets it.
    """
    runner: MailRunner = context[MAIL_RUNNER]
    try:
        await runner.run(mail_id)
    except TryAgain as again:
        raise Retry(defer=again.seconds) from again
    except Exception as error:
        log.exception("mail %s: the attempt could not be ended in order", mail_id)
        raise Retry(defer=DISORDER_SECONDS) from error

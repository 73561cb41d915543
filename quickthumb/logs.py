"""Sets up logging: QuickThumb's own lines, on standard error."""

import logging

# arq logs each call twice, and its health every few seconds; QuickThumb logs one line per job, which says more.
_CHATTER = ("%6.2fs →", "%6.2fs ←", "recording health")


class _WithoutChatter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith(_CHATTER)


def configure() -> None:
    """Shows QuickThumb's log from INFO up, unless the process has already configured logging."""
    log = logging.getLogger("quickthumb")
    if log.handlers or logging.getLogger().handlers:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)-7s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    logging.getLogger("arq.worker").addFilter(_WithoutChatter())

"""How QuickThumb logs: one line for each thing that happened, to standard error."""

import logging

# arq tells of each call twice, and of its health every few seconds; the job's own line says more.
_CHATTER = ("%6.2fs →", "%6.2fs ←", "recording health")


class _WithoutChatter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith(_CHATTER)


def configure() -> None:
    """Shows QuickThumb's own lines from INFO up, unless the process has set logging up by itself."""
    log = logging.getLogger("quickthumb")
    if log.handlers or logging.getLogger().handlers:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)-7s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
    logging.getLogger("arq.worker").addFilter(_WithoutChatter())

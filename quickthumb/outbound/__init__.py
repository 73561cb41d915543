"""Requests to other servers, and the guard that keeps them out of the operator's own network.

Every request that a client of the service can cause goes through here: images that are fetched by URL, and webhooks.
"""

from quickthumb.outbound.client import Answer, Download, OutboundClient
from quickthumb.outbound.errors import AnswerRefused, AnswerTooLarge, OutboundError, OutboundRefused, Unreachable
from quickthumb.outbound.guard import Guard, Target, shown, split_url

__all__ = [
    "Answer",
    "AnswerRefused",
    "AnswerTooLarge",
    "Download",
    "Guard",
    "OutboundClient",
    "OutboundError",
    "OutboundRefused",
    "Target",
    "Unreachable",
    "shown",
    "split_url",
]

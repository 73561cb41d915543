"""Streaming intake: from the chunks of a request's body to one image in a sink, and the fields that came with it."""

from quickthumb.intake.events import Field
from quickthumb.intake.image_stream import Inspect, OpenSink, Sink
from quickthumb.intake.limits import IntakeLimits
from quickthumb.intake.reception import Received, receive
from quickthumb.intake.ways import brings_fields, refuse_declared_length

__all__ = [
    "Field",
    "Inspect",
    "IntakeLimits",
    "OpenSink",
    "Received",
    "Sink",
    "brings_fields",
    "receive",
    "refuse_declared_length",
]

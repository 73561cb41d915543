"""Streaming intake: from the chunks of a request's body to one image in a sink, and the fields that came with it."""

from quickthumb.intake.body_parsers import brings_fields, refuse_declared_length
from quickthumb.intake.image_stream import ImageStream, Inspect, OpenSink, Sink
from quickthumb.intake.limits import IntakeLimits, read_in_time
from quickthumb.intake.parts import Field
from quickthumb.intake.receiver import Received, receive

__all__ = [
    "Field",
    "ImageStream",
    "Inspect",
    "IntakeLimits",
    "OpenSink",
    "Received",
    "Sink",
    "brings_fields",
    "read_in_time",
    "receive",
    "refuse_declared_length",
]

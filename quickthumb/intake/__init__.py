"""Streaming intake: reads a request's body in chunks, writes its one image to a sink, and collects its fields.

It knows no web framework and no storage. `receive` takes a whole request; `ImageStream` takes the bytes of an image
from anywhere.
"""

from quickthumb.intake.body_parsers import brings_fields, least_image_bytes, refuse_declared_length
from quickthumb.intake.image_stream import ImageStream, Inspect, OpenSink, Sink
from quickthumb.intake.limits import IntakeLimits, read_in_time
from quickthumb.intake.parts import Field
from quickthumb.intake.receiver import Received, receive
from quickthumb.intake.uploaders import without_uploaders_fields

__all__ = [
    "Field",
    "ImageStream",
    "Inspect",
    "IntakeLimits",
    "OpenSink",
    "Received",
    "Sink",
    "brings_fields",
    "least_image_bytes",
    "read_in_time",
    "receive",
    "refuse_declared_length",
    "without_uploaders_fields",
]

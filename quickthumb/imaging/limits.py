"""How much one image may ask for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that is decoded: `max_pixels` counts width × height of every frame together."""

    max_pixels: int

"""Adjusts colors: conversion to sRGB, grayscale, and brightness, contrast and saturation as in CSS."""

from PIL import Image

from quickthumb.imaging.rendition import Rendition

# The luminance coefficients of the saturate matrix (Filter Effects Module Level 1).
_RED, _GREEN, _BLUE = 0.213, 0.715, 0.072


def convert(picture: Image.Image, rendition: Rendition) -> Image.Image:
    """Converts to sRGB through the source's profile, unless the result keeps that profile."""
    if rendition.keeps_profile or rendition.slanted:  # a slanted picture was converted before its rotation
        return picture
    return rendition.color.to_srgb(picture)


def grayscale(picture: Image.Image, rendition: Rendition) -> Image.Image:
    """Converts to luma (ITU-R BT.601); keeps transparency."""
    if not rendition.output.grayscale or picture.mode == "L":
        return picture
    gray = picture.convert("L")
    if picture.mode != "RGBA":
        return gray
    alpha = picture.getchannel("A")
    return Image.merge("RGBA", (gray, gray, gray, alpha))


def tone(picture: Image.Image, rendition: Rendition) -> Image.Image:
    """Changes brightness, then contrast, then saturation, like the filter functions of CSS; keeps transparency."""
    output = rendition.output
    if (output.brightness, output.contrast) != (1, 1):
        picture = _scaled(picture, output.brightness, output.contrast)
    if output.saturation != 1 and picture.mode != "L":
        picture = _saturated(picture, output.saturation)
    return picture


def _scaled(picture: Image.Image, brightness: float, contrast: float) -> Image.Image:
    curve = [_clip((min(sample * brightness, 255) - 127.5) * contrast + 127.5) for sample in range(256)]
    if picture.mode == "RGBA":
        return picture.point(curve * 3 + list(range(256)))
    return picture.point(curve * len(picture.getbands()))


def _saturated(picture: Image.Image, factor: float) -> Image.Image:
    rest = 1 - factor
    red, green, blue = _RED * rest, _GREEN * rest, _BLUE * rest
    matrix = (
        *(red + factor, green, blue, 0),
        *(red, green + factor, blue, 0),
        *(red, green, blue + factor, 0),
    )
    made = picture.convert("RGB").convert("RGB", matrix)
    if picture.mode == "RGBA":
        made.putalpha(picture.getchannel("A"))
    return made


def _clip(sample: float) -> int:
    return max(0, min(255, int(sample + 0.5)))

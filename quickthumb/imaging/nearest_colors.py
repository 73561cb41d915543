"""Pictures in the nearest colors of a palette.

Pillow maps a picture to a given palette by cells of 4 × 4 × 4 levels, so that white can become 253,252,252. Here Pillow
maps several times, with the picture brighter by one level each time, and each pixel takes the nearest of the answers.
"""

from collections.abc import Sequence

from PIL import Image, ImageChops

from quickthumb.imaging.indexed import ANY, HIDDEN, MOST, Color, indices_of, with_palette

NONE = [255] + [0] * 255

# The side of Pillow's cells.
_CELL = 4
_BRIGHTER = [[min(255, level + more) for level in range(MOST)] * 3 for more in range(1, _CELL)]
# By how many levels, in all bands together, the color of the frame before may be farther than the nearest one.
_HELD_LEVELS = 4
_NEARLY = [255 if level <= _HELD_LEVELS else 0 for level in range(MOST)]
# Weights of the bands that add them up.
_SUM = (1.0, 1.0, 1.0, 0.0)


class Palette:
    """Colors for pictures that have more. `groups` are those that Pillow's cells may miss, and that must stay exact."""

    def __init__(self, colors: Sequence[Color], groups: Sequence[Sequence[Color]] = ()) -> None:
        self.colors = tuple(colors)
        opaque = [color for color in colors if color != HIDDEN]
        self._visible = [255] * len(opaque) + [0] * (MOST - len(opaque))
        self._opaque = _Cells(opaque)
        self._groups = [_Cells(group, [opaque.index(color) for color in group]) for group in groups]

    def nearest(self, picture: Image.Image, before: Image.Image | None = None) -> Image.Image:
        """A picture (in mode L, RGB, or RGBA with no alpha but 0 and 255) in its nearest colors, in mode P.

        Equal pixels become equal, in all pictures. With `before`, the result for the frame before this one, a pixel
        whose color of before is nearly as near keeps that, so that what hardly changes stands still.
        """
        rgb = as_rgb(picture)
        indices, error = self._nearest(rgb)
        if before is not None:
            self._hold(indices, error, indices_of(before), rgb)
        return self.finished(indices, picture)

    def indices(self, picture: Image.Image) -> Image.Image:
        """The indices of the colors nearest to an RGB picture, in mode L."""
        return self._nearest(picture)[0]

    def dotted(self, picture: Image.Image) -> Image.Image:
        """The indices of colors near to an RGB picture, in dots of two colors by error diffusion (Floyd and Steinberg),
        in mode L."""
        return self._opaque.indices(picture, Image.Dither.FLOYDSTEINBERG)

    def shown(self, indices: Image.Image) -> Image.Image:
        """What indices (in mode L) show, in RGB."""
        return self._opaque.shown(indices)

    def finished(self, indices: Image.Image, picture: Image.Image) -> Image.Image:
        """Turns the indices (in mode L) of a picture into mode P, in place. What is transparent in it is hidden."""
        if HIDDEN in self.colors and picture.mode == "RGBA":
            indices.paste(self.colors.index(HIDDEN), mask=picture.getchannel("A").point(NONE))
        return with_palette(indices, self.colors)

    def _nearest(self, picture: Image.Image) -> tuple[Image.Image, Image.Image]:
        """The nearest indices that Pillow finds, and how far each pixel is from its color."""
        indices = self._opaque.indices(picture)
        error = self._error(picture, indices)
        for brighter in _BRIGHTER:
            error = self._improve(indices, self._opaque.indices(picture.point(brighter)), picture, error)
        for group in self._groups:
            error = self._improve(indices, group.indices(picture), picture, error)
        return indices, error

    def _improve(
        self, indices: Image.Image, others: Image.Image, picture: Image.Image, error: Image.Image
    ) -> Image.Image:
        """Takes those of the other indices that are nearer to the picture; returns the error that is left."""
        other_error = self._error(picture, others)
        indices.paste(others, mask=ImageChops.subtract(error, other_error).point(ANY))
        return ImageChops.darker(error, other_error)

    def _hold(self, indices: Image.Image, error: Image.Image, before: Image.Image, picture: Image.Image) -> None:
        """Takes the colors of before where they are nearly as near, but for colors that are exact."""
        nearly = ImageChops.subtract(self._error(picture, before), error).point(_NEARLY)
        visible = before.point(self._visible)
        indices.paste(before, mask=ImageChops.darker(ImageChops.darker(nearly, visible), error.point(ANY)))

    def _error(self, picture: Image.Image, indices: Image.Image) -> Image.Image:
        return distance(picture, self.shown(indices))


class _Cells:
    """Colors to which Pillow maps pictures. It fills its cells once, as long as it is given the same palette.

    `places` are the indices of the colors in a larger palette, if these are meant.
    """

    def __init__(self, colors: Sequence[Color], places: Sequence[int] | None = None) -> None:
        self._palette = with_palette(Image.new("P", (1, 1)), colors)
        self._levels = bytes(level for color in colors for level in color[:3])
        self._places = None if places is None else [*places, *[0] * (MOST - len(places))]

    def indices(self, picture: Image.Image, dither: Image.Dither = Image.Dither.NONE) -> Image.Image:
        """The indices for an RGB picture, in mode L, as near as Pillow's cells tell."""
        indices = indices_of(picture.quantize(palette=self._palette, dither=dither))
        return indices.point(self._places) if self._places else indices

    def shown(self, indices: Image.Image) -> Image.Image:
        shown = indices.copy()
        shown.putpalette(self._levels)
        return shown.convert("RGB")


def as_rgb(picture: Image.Image) -> Image.Image:
    """The picture in mode RGB."""
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def distance(one: Image.Image, other: Image.Image) -> Image.Image:
    """How far the colors of two RGB pictures are apart: the sum over their bands, at most 255."""
    return ImageChops.difference(one, other).convert("L", _SUM)

"""Finds the most interesting part of a picture: where `position=smart` cuts.

Every pixel is scored by what draws the eye: detail, colorfulness and skin, the three features of Jonas Wagner's
smartcrop.js and of libvips' "attention" strategy (libvips/conversion/smartcrop.c), with the weights of smartcrop.js. A
`cover` box has free room along one side only, so the scores are summed along the other side; the window with the
highest sum wins, and among equal windows the one nearest to the center.
"""

from PIL import Image, ImageChops, ImageFilter

# The picture is scored at no more pixels per side than this: anything that matters is larger.
LOOK_PIXELS = 128
_DETAIL, _SKIN, _COLOR = 0.2, 1.8, 0.3
_LAPLACE = (0, -1, 0, -1, 4, -1, 0, -1, 0)


def anchor(picture: Image.Image, window: tuple[float, float]) -> tuple[float, float]:
    """The anchor of the best window, in 0…1 each way. `window` is its share of the picture's width and height."""
    scores = _scores(picture)
    across = [sum(column) for column in _columns(scores)]
    down = [sum(row) for row in _rows(scores)]
    return _best(across, window[0]), _best(down, window[1])


def _scores(picture: Image.Image) -> Image.Image:
    rgb = _without_alpha(picture)
    gray = rgb.convert("L")
    detail = ImageChops.add(
        gray.filter(ImageFilter.Kernel((3, 3), _LAPLACE, scale=1)),
        gray.filter(ImageFilter.Kernel((3, 3), [-weight for weight in _LAPLACE], scale=1)),
    )
    detail = _without_border(detail)
    hue, saturation, value = rgb.convert("HSV").split()
    lit = value.point([255 if sample >= 40 else 0 for sample in range(256)])
    # Skin of every shade has an orange hue and moderate saturation (Kovač, Peer and Solina, 2003).
    warm = hue.point([255 if sample <= 25 or sample >= 250 else 0 for sample in range(256)])
    moderate = saturation.point([255 if 50 <= sample <= 175 else 0 for sample in range(256)])
    skin = ImageChops.multiply(ImageChops.multiply(warm, moderate), lit)
    # Only saturation above one half counts as color; less is a mere tint.
    color = ImageChops.multiply(saturation.point([max(0, 2 * sample - 255) for sample in range(256)]), lit)
    total = Image.new("L", picture.size)
    for feature, weight in ((detail, _DETAIL), (skin, _SKIN), (color, _COLOR)):
        total = ImageChops.add(total, feature.point([sample * weight / 3 for sample in range(256)]))
    return total


def _without_border(detail: Image.Image) -> Image.Image:
    """Clears the outermost pixels, which the kernel leaves as they were instead of measuring their detail."""
    inner = Image.new("L", detail.size)
    if min(detail.size) > 2:
        inner.paste(detail.crop((1, 1, detail.width - 1, detail.height - 1)), (1, 1))
    return inner


def _without_alpha(picture: Image.Image) -> Image.Image:
    if picture.mode != "RGBA":
        return picture.convert("RGB")
    ground = Image.new("RGBA", picture.size, (255, 255, 255, 255))
    return Image.alpha_composite(ground, picture).convert("RGB")


def _rows(scores: Image.Image) -> list[bytes]:
    samples, width = scores.tobytes(), scores.width
    return [samples[start : start + width] for start in range(0, len(samples), width)]


def _columns(scores: Image.Image) -> list[bytes]:
    return _rows(scores.transpose(Image.Transpose.TRANSPOSE))


def _best(sums: list[int], share: float) -> float:
    length = min(len(sums), max(1, round(share * len(sums))))
    room = len(sums) - length
    if not room:
        return 0.5
    total = sum(sums[:length])
    best, best_total = 0, -1
    for start in range(room + 1):
        nearer = abs(start - room / 2) < abs(best - room / 2)
        if total > best_total or (total == best_total and nearer):
            best, best_total = start, total
        if start < room:
            total += sums[start + length] - sums[start]
    return best / room

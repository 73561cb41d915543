"""Small pictures that tests make for themselves."""

import numpy as np
from PIL import Image


def quadrants(width: int = 60, height: int = 40) -> Image.Image:
    """Red, green, blue and white quarters, clockwise from the top left… so that no turn of it is another."""
    picture = Image.new("RGB", (width, height), "red")
    picture.paste((0, 255, 0), (width // 2, 0, width, height // 2))
    picture.paste((0, 0, 255), (width // 2, height // 2, width, height))
    picture.paste((255, 255, 255), (0, height // 2, width // 2, height))
    return picture


def gradient(width: int = 64, height: int = 48) -> Image.Image:
    """Red grows to the right and green downwards, so that every pixel tells where it came from."""
    across = np.linspace(0, 255, width)[None, :].repeat(height, 0)
    down = np.linspace(0, 255, height)[:, None].repeat(width, 1)
    return Image.fromarray(np.stack([across, down, np.full_like(across, 128)], -1).astype(np.uint8))


def disc(size: int = 200, hidden: tuple[int, int, int] = (0, 255, 0)) -> Image.Image:
    """A red disc; what is transparent around it is, unseen, of another color."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    inside = x**2 + y**2 < (0.4 * size) ** 2
    picture = np.empty((size, size, 4), np.uint8)
    picture[...] = (*hidden, 0)
    picture[inside] = (255, 0, 0, 255)
    return Image.fromarray(picture)


def noise(width: int = 300, height: int = 200, seed: int = 1) -> Image.Image:
    """Clouds of color: as hard to compress as a photo."""
    rough = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    fine = np.random.default_rng(seed + 1).integers(-20, 20, (height, width, 3))
    smooth = np.asarray(Image.fromarray(rough).resize((width, height), Image.Resampling.BICUBIC), dtype=int)
    return Image.fromarray(np.clip(smooth + fine, 0, 255).astype(np.uint8))

"""How alike two pictures are, in numbers."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFilter

Samples = NDArray[np.float64]


def samples(picture: Image.Image) -> Samples:
    return np.asarray(picture, dtype=np.float64)


def psnr(one: Image.Image, other: Image.Image) -> float:
    """Peak signal-to-noise ratio in dB."""
    error = float(np.mean((samples(one.convert("RGB")) - samples(other.convert("RGB"))) ** 2))
    return float("inf") if error == 0 else 10 * float(np.log10(255**2 / error))


def ssim(one: Image.Image, other: Image.Image) -> float:
    """Structural similarity of luma, with the Gaussian window and constants of Wang et al. (2004)."""
    x, y = samples(one.convert("L")), samples(other.convert("L"))
    assert x.shape == y.shape, f"{x.shape} is not {y.shape}"
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mean_x, mean_y = _smooth(x), _smooth(y)
    var_x, var_y = _smooth(x * x) - mean_x**2, _smooth(y * y) - mean_y**2
    covariance = _smooth(x * y) - mean_x * mean_y
    top = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return float(np.mean(top / ((mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2))))


def _smooth(values: Samples) -> Samples:
    kernel = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    kernel /= kernel.sum()
    for axis in (0, 1):
        values = np.apply_along_axis(np.convolve, axis, values, kernel, mode="same")
    return values


def delta_e(one: Image.Image, other: Image.Image) -> float:
    """Mean CIE76 color difference of two sRGB pictures of one size."""
    lab = (_lab(picture.convert("RGB")) for picture in (one, other))
    first, second = lab
    return float(np.mean(np.sqrt(np.sum((first - second) ** 2, axis=-1))))


def _lab(picture: Image.Image) -> Samples:
    """CIELAB (D65) by the formulas of IEC 61966-2-1 and CIE 15."""
    rgb = samples(picture) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ to_xyz.T / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def in_srgb(picture: Image.Image) -> Image.Image:
    """The picture converted by littleCMS through its own profile: what every result is held against."""
    profile = ImageCms.ImageCmsProfile(io.BytesIO(picture.info["icc_profile"]))
    made = ImageCms.profileToProfile(
        picture, profile, ImageCms.createProfile("sRGB"), ImageCms.Intent.PERCEPTUAL, outputMode="RGB"
    )
    assert made is not None
    return made


def blurred(picture: Image.Image) -> Image.Image:
    """What is left when differences of single pixels, such as a JPEG's, are evened out."""
    return picture.convert("RGB").filter(ImageFilter.GaussianBlur(2))

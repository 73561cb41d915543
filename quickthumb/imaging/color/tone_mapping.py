"""Tone mapping: the curves that bring samples in PQ and HLG (ITU-R BT.2100) to the range of sRGB.

The reference white of HDR, 203 cd/m² (ITU-R BT.2408), becomes the white of sRGB. What is brighter, up to the 1000 cd/m²
of common mastering displays, is compressed by the EETF of ITU-R BT.2390-11, 5.4.1. It begins at 88 cd/m², so a diffuse
white ends at 228 and leaves room for highlights. Red, green and blue go through it independently, which is one of the
ways that BT.2390 lists: colors stay as they are below that, and bright ones lose some saturation, as on film. So does
the gamma of an HLG display, which strictly depends on the luminance of the whole color.
"""

import math
from collections.abc import Callable
from functools import lru_cache

_WHITE, _PEAK = 203.0, 1000.0
# The constants of PQ (SMPTE ST 2084) and of HLG (BT.2100, table 5).
_M1, _M2, _C1, _C2, _C3 = 2610 / 16384, 2523 / 4096 * 128, 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
_PQ_MOST = 10_000.0
_HLG_A, _HLG_B, _HLG_C = 0.17883277, 0.28466892, 0.55991073
# BT.2100's gamma of a display of 1000 cd/m².
_HLG_GAMMA = 1.2


@lru_cache(maxsize=1)
def pq() -> tuple[float, ...]:
    """Light in 0…1, where 1 is sRGB's white, for each of the 256 samples in PQ."""
    return _curve(_from_pq)


@lru_cache(maxsize=1)
def hlg() -> tuple[float, ...]:
    """Light in 0…1, where 1 is sRGB's white, for each of the 256 samples in HLG."""
    return _curve(_from_hlg)


def _curve(light: Callable[[float], float]) -> tuple[float, ...]:
    return tuple(min(1.0, _compressed(light(sample / 255)) / _WHITE) for sample in range(256))


def _from_hlg(sample: float) -> float:
    """Light in cd/m² on a display of 1000 cd/m², for a sample in 0…1."""
    scene = sample * sample / 3 if sample <= 0.5 else (math.exp((sample - _HLG_C) / _HLG_A) + _HLG_B) / 12
    return _PEAK * math.pow(scene, _HLG_GAMMA)


def _from_pq(sample: float) -> float:
    """Light in cd/m² for a sample in 0…1."""
    power = math.pow(sample, 1 / _M2)
    return _PQ_MOST * math.pow(max(power - _C1, 0.0) / (_C2 - _C3 * power), 1 / _M1)


def _to_pq(light: float) -> float:
    """The sample in 0…1 for light in cd/m²."""
    power = math.pow(light / _PQ_MOST, _M1)
    return math.pow((_C1 + _C2 * power) / (1 + _C3 * power), _M2)


def _compressed(light: float) -> float:
    """Light in cd/m² brought to at most the 203 cd/m² of white: the EETF, whose variables are those of BT.2390."""
    peak = _to_pq(_PEAK)
    most = _to_pq(_WHITE) / peak
    knee = 1.5 * most - 0.5
    level = _to_pq(min(light, _PEAK)) / peak
    if level > knee:
        t = (level - knee) / (1 - knee)
        start, slope, end = 2 * t**3 - 3 * t**2 + 1, t**3 - 2 * t**2 + t, 3 * t**2 - 2 * t**3
        level = start * knee + slope * (1 - knee) + end * most
    return _from_pq(level * peak)

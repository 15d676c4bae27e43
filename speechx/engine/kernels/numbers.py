"""Numbers: bfloat16 as its bits, and an exponential that is computed for many values at once."""

from __future__ import annotations

import numpy as np
from numba.extending import register_jitable

LOG2_E = np.float32(1.4426950408889634)


@register_jitable
def as_float(bits: np.uint16) -> np.float32:
    """The number whose bfloat16 has these bits."""
    return np.uint32(np.uint32(bits) << np.uint32(16)).view(np.float32)


@register_jitable
def as_bfloat16(value: np.float32) -> np.uint16:
    """Its bits, rounded to the nearest even."""
    bits = np.float32(value).view(np.uint32)
    return np.uint16((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16))


@register_jitable
def exponential(x: np.float32) -> np.float32:
    """e to the x to 2e-7 of it, by operations that are done for many x at once (a polynomial of 2 to the fraction)."""
    scaled = min(max(x * LOG2_E, np.float32(-126)), np.float32(126))
    whole = np.floor(scaled + np.float32(0.5))
    r = (scaled - whole) * np.float32(0.6931471805599453)
    p = np.float32(1 / 720)
    p = p * r + np.float32(1 / 120)
    p = p * r + np.float32(1 / 24)
    p = p * r + np.float32(1 / 6)
    p = p * r + np.float32(0.5)
    p = p * r + np.float32(1)
    p = p * r + np.float32(1)
    return p * np.uint32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)

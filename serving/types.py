"""Types of JSON objects and of decoded audio."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["JsonObject", "Sound"]

JsonObject: TypeAlias = dict[str, Any]
"""A parsed JSON object, a part of an OpenAPI description, or the fields of a form."""

Sound: TypeAlias = tuple[NDArray[np.float32], int]
"""Samples (T,) and their rate."""

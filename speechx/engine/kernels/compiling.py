"""How a kernel is compiled and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from numba import njit

Compiled = TypeVar("Compiled", bound=Callable[..., Any])

STAMP = hashlib.sha256(
    b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py")))
).hexdigest()[:8]
"""Of all kernels. Numba makes what it keeps on disk anew when a function's own file changes, and kernels call each other."""


def compiled(function: Compiled) -> Compiled:
    """Compiled at the first call; kept on disk for later processes where there is a place for it. Sums are in any order."""
    return _compiled(function, {"reassoc", "contract", "nsz", "arcp"})


def compiled_exactly(function: Compiled) -> Compiled:
    """As `compiled`, with every operation as it is written: its bits are the same in whatever kernel LLVM puts it."""
    return _compiled(function, set())


def _compiled(function: Compiled, fastmath: set[str]) -> Compiled:
    options: dict[str, Any] = {"nogil": True, "fastmath": fastmath}
    function.__qualname__ += f"_{STAMP}"  # which is a part of the file's name on disk
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # neither the package's folder nor a home can be written
        return njit(**options)(function)

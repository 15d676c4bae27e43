"""Memory that was freed, given back to the system."""

from __future__ import annotations

import ctypes
import gc
import sys


def release_memory() -> None:
    """Gives freed memory back. glibc keeps it for the process otherwise, in pieces: tensors of many sizes make many.

    Does nothing on other systems than Linux with glibc.
    """
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)

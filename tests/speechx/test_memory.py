"""Freed memory goes back to the system."""

import ctypes

import pytest

from speechx.memory import release_memory


def resident_mb() -> int:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) // 1024


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="needs glibc")
def test_what_lies_below_memory_in_use_is_given_back() -> None:
    pieces = [bytearray(b"x" * 100_000) for _ in range(3000)]
    kept = pieces[-1]
    pieces.clear()
    before = resident_mb()
    release_memory()
    assert before - resident_mb() > 200 and kept[0] == ord("x")

"""The machine that a measurement was made on."""

from __future__ import annotations

import platform
from pathlib import Path


def processor_name() -> str:
    """The processor's model; its architecture where the system does not say."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()

"""Packages that the usual environment lacks: their tests are skipped there, and must run in `make test-integrations`."""

from __future__ import annotations

import os
from importlib import import_module
from types import ModuleType

import pytest

__all__ = ["need"]


def need(module: str, reason: str) -> ModuleType:
    """The module. Skips the test without it, unless SPEECHX_INTEGRATIONS is set: then its absence is an error."""
    if os.environ.get("SPEECHX_INTEGRATIONS"):
        return import_module(module)
    found: ModuleType = pytest.importorskip(module, reason=reason, exc_type=(ImportError, OSError))  # type: ignore[arg-type]
    return found

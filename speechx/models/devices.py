"""Devices by the names that users give."""

from __future__ import annotations

from speechx.errors import InputError

__all__ = ["check_device"]


def check_device(name: str) -> None:
    """Raises InputError, field "device", for a name that torch does not know, and for a device that is not there."""
    import torch

    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"device: {name!r} cannot be used here: {reason}", field="device") from error

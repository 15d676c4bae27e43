"""What may be wrong with a result, for its `info["warning"]`."""

from __future__ import annotations


def notes(*warnings: str | None) -> dict[str, object]:
    """The notes of a plan: its warnings as one text, if there are any."""
    text = "; ".join(filter(None, warnings))
    return {"warning": text} if text else {}

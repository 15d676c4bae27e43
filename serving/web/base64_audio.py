"""Audio in the text of a JSON body: base64 as the programs of this world write it, or a data: URL."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_to_bytes

from speechx.errors import InputError

__all__ = ["NAME_LENGTH", "from_base64", "is_name"]

NAME_LENGTH = 200
"""A shorter text is the name of something. No sound file is that short."""

_BEGINNINGS = (b"RIFF", b"RF64", b"fLaC", b"OggS", b"ID3", b"FORM", b"\xff")
_URL_SAFE = str.maketrans("-_", "+/")


def is_name(text: str) -> bool:
    """Whether a text is too short to be a sound, and no data: URL."""
    return len(text) < NAME_LENGTH and text[:5].lower() != "data:"


def _as_file(text: str) -> bytes | None:
    """The bytes of a sound file that came as a text, in a part of a form without a file name; None if it is none."""
    if text[:40].isascii() and text[:40].isprintable():
        return None
    try:
        data = text.encode("latin-1")
    except UnicodeEncodeError:
        return None
    return data if data.startswith(_BEGINNINGS) else None


def from_base64(text: str, field: str) -> bytes:
    """The bytes of base64 or of a data: URL. Line breaks, URL-safe letters and missing padding do not matter.

    Raises InputError for anything else.
    """
    if text[:5].lower() == "data:":
        head, comma, text = text.partition(",")
        if not comma:
            raise InputError(f"{field} is a data: URL without a comma, and so without data", field=field)
        if not head.lower().rstrip().endswith(";base64"):
            return unquote_to_bytes(text)
        text = unquote_to_bytes(text).decode("latin-1") if "%" in text else text
    if is_name(text):
        raise InputError(
            f"{field} {text[:80]!r} is a name, not a sound: send the file itself, as a form or base64",
            field=field,
        )
    if (data := _as_file(text)) is not None:
        return data
    letters = "".join(text.split()).rstrip("=").translate(_URL_SAFE)
    try:
        return base64.b64decode(letters + "=" * (-len(letters) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise InputError(f"{field} is no base64 of a sound file", field=field) from None

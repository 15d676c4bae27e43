"""Sound sent once and used in several requests: POST /v1/uploads gives an id that any sound field of a JSON body takes.

Kept as samples beside the voices, so that all routers see them, for a day. An id is random: who does not know it cannot
use the sound.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import time

import numpy as np

from speechx.errors import InputError
from speechx.files import Storage
from speechx.serving.errors import ApiError
from speechx.serving.types import Sound

__all__ = ["UPLOAD_ID", "Uploads"]

UPLOAD_ID = re.compile(r"upload-[0-9a-f]{32}")
KEPT_SECONDS = 24 * 3600.0


class Uploads:
    """A folder or fsspec URL of sounds. At most `limit_bytes` are kept: more are refused until old ones have gone."""

    def __init__(self, root: str, limit_bytes: int) -> None:
        self._storage, self.limit_bytes = Storage(root.rstrip("/"), "audio"), limit_bytes

    def put(self, sound: Sound) -> str:
        """Keeps (samples (T,), rate) as 32-bit float and gives its id. Raises ApiError 503 when full."""
        self._storage.make()
        used = self._sweep()
        data = np.array([sound[1]], "<u4").tobytes() + np.ascontiguousarray(sound[0], "<f4").tobytes()
        if used + len(data) > self.limit_bytes:
            raise ApiError(
                503, f"the uploads take {used:,} bytes: there is no room until old ones have gone", code="full",
                field="audio", limit=self.limit_bytes, retry_after=600,
            )  # fmt: skip
        name = f"upload-{secrets.token_hex(16)}"
        self._storage.write(name, data)
        return name

    def get(self, name: str, field: str) -> Sound:
        """Raises InputError where there is none of this id, or not any more."""
        try:
            data = self._storage.read(name)
        except FileNotFoundError:
            raise InputError(
                f"{field}: there is no upload {name!r}; uploads are kept for {KEPT_SECONDS / 3600:g} hours",
                field=field,
            ) from None
        return np.frombuffer(data, "<f4", offset=4).astype(np.float32), int(np.frombuffer(data[:4], "<u4")[0])

    def _sweep(self) -> int:
        """Removes what is old; the bytes that are kept."""
        used, now = 0, time.time()
        for file in self._storage.files():
            if not UPLOAD_ID.fullmatch(file.name):
                continue
            if now - (now if file.modified is None else file.modified) > KEPT_SECONDS:
                with contextlib.suppress(FileNotFoundError):  # another router was first
                    self._storage.remove(file.name)
            else:
                used += file.size
        return used

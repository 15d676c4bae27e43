"""Uploads: audio that is sent once and used by id in several requests (POST /v1/uploads).

They are stored as samples beside the voices, where all routers find them, for a day. Ids are random, so that only the
uploader can use them.
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
    """Uploads in a folder or behind an fsspec URL. More than `limit_bytes` in total are refused until old ones expire."""

    def __init__(self, root: str, limit_bytes: int) -> None:
        self._storage, self.limit_bytes = Storage(root.rstrip("/"), "audio"), limit_bytes

    def put(self, sound: Sound) -> str:
        """Store (samples (T,), rate) as 32-bit float; returns the id. Raises ApiError 503 when full."""
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
        """(samples, rate) of an upload. Raises InputError for an unknown or expired id."""
        try:
            data = self._storage.read(name)
        except FileNotFoundError:
            raise InputError(
                f"{field}: there is no upload {name!r}; uploads are kept for {KEPT_SECONDS / 3600:g} hours",
                field=field,
            ) from None
        return np.frombuffer(data, "<f4", offset=4).astype(np.float32), int(np.frombuffer(data[:4], "<u4")[0])

    def _sweep(self) -> int:
        """Remove expired uploads; returns the bytes in use."""
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

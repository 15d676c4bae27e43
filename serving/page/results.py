"""Sounds that the page plays and offers for download: files under random names, for an hour."""

from __future__ import annotations

import re
import secrets
import tempfile
import time
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse, Response

from speechx.audio.writing import MEDIA_TYPES
from speechx.serving.errors import ApiError

__all__ = ["PageResults"]

KEPT_SECONDS = 3600.0
KEPT_BYTES = 512 << 20
_NAME = re.compile(r"[0-9a-f]{32}\.[a-z0-9]{2,5}")


class PageResults:
    """A folder that goes with the process. Old files make room for new ones."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="speechx-page-")

    def put(self, data: bytes, format: str) -> str:
        """Keeps the bytes of a sound file; returns its address, relative to the page."""
        self._sweep(len(data))
        name = f"{secrets.token_hex(16)}.{format}"
        (Path(self._folder.name) / name).write_bytes(data)
        return f"results/{name}"

    def router(self) -> APIRouter:
        """GET page/results/NAME."""
        router = APIRouter(include_in_schema=False)

        @router.get("/page/results/{name}")
        def result(name: str) -> Response:
            path = Path(self._folder.name) / name
            if not _NAME.fullmatch(name) or not path.is_file():
                raise ApiError(404, "there is no such result; results are kept for an hour")
            return FileResponse(path, media_type=MEDIA_TYPES.get(path.suffix[1:]))

        return router

    def _sweep(self, needed: int) -> None:
        known = sorted(
            (stat.st_mtime, stat.st_size, path)
            for path in Path(self._folder.name).iterdir()
            for stat in [path.stat()]
        )
        size = sum(size for _, size, _ in known) + needed
        for modified, its, path in known:
            if size <= KEPT_BYTES and time.time() - modified < KEPT_SECONDS:
                break
            path.unlink(missing_ok=True)
            size -= its

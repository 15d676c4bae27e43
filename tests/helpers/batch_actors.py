"""Actors of batch jobs that fail on purpose."""

from __future__ import annotations

import asyncio
import json
import os

from speechx.serving.cluster.batch import RowActor


class KilledByRows(RowActor):
    """Dies of rows named "killer"."""

    async def __call__(self, row: dict[str, str]) -> dict[str, str]:
        if json.loads(row["row"])["id"] == "killer":
            await asyncio.sleep(0.2)  # others begin meanwhile
            os._exit(1)
        return await super().__call__(row)

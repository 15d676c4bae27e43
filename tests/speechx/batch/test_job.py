"""A job over a runner of its own: folders that nodes do not share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from speechx.batch.job import run_batch
from speechx.batch.manifest import read_manifest
from speechx.batch.rows import ManifestRow, ResultRow
from speechx.errors import InputError
from speechx.files import Storage


def test_an_output_that_nodes_do_not_share_is_refused(tmp_path: Path) -> None:
    """Each node would keep its sounds on its own disk, and the results would claim that they are there."""
    rows = [{"id": f"r{i}", "task": "tts", "text": "Hello.", "voice": "heart"} for i in range(3)]
    (tmp_path / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    out = tmp_path / "out"

    def far_away(rows: Sequence[ManifestRow], store: Storage, model: str) -> Iterator[ResultRow]:
        about = {"request": "x", "seed": 1, "model": model}
        for row, node in zip(rows, ("here", "here", "node7"), strict=True):
            if node == "here":
                store.write(row.file, b"RIFF")
            yield {"id": row.id, "status": "ok", "output": row.file, "node": node, **about}

    with pytest.raises(InputError, match=r"node7 has written r2\.wav and this machine does not see it"):
        run_batch(read_manifest(tmp_path / "m.jsonl"), Storage(str(out)), "m", far_away)
    assert [json.loads(line)["id"] for line in (out / "results.jsonl").read_text().splitlines()] == [
        "r0",
        "r1",
    ]

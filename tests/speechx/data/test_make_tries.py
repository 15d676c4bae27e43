"""scripts/make_tries.py: requests in the voices of a pack, and a corpus of their outputs."""

from __future__ import annotations

import json
import runpy
import shutil
import sys
from pathlib import Path

import pytest

from speechx.data.synthetic import synthetic_pack

ROOT = Path(__file__).parents[3]


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["make_tries.py", *map(str, arguments)])
    runpy.run_path(str(ROOT / "scripts/make_tries.py"), run_name="__main__")


def test_requests_and_what_became_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack, out = synthetic_pack(tmp_path / "pack", utterances=24, speakers=4, noises=2), tmp_path / "tries"
    run(monkeypatch, pack, "--count", "en=6", "--out", out)
    rows = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert len(rows) == 6 == len({row["seed"] for row in rows})
    assert all((out / row["voice"]).is_file() and row["best_of"] == 1 for row in rows)
    assert all(12 <= len(row["text"]) <= 111 for row in rows)
    for row in rows[:4]:  # two requests failed
        (out / "sound").mkdir(exist_ok=True)
        shutil.copy(out / row["voice"], out / f"sound/{row['id']}.wav")
    run(monkeypatch, "--collect", "--out", out)
    found = [json.loads(line) for line in (out / "metadata.jsonl").read_text().splitlines()]
    assert [row["id"] for row in found] == [row["id"] for row in rows[:4]]
    assert all("text" not in row and row["language"] == "en" for row in found)


def test_a_language_that_no_pack_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack = synthetic_pack(tmp_path / "pack", utterances=8, speakers=2, noises=2)
    with pytest.raises(SystemExit, match="fr: no train recording"):
        run(monkeypatch, pack, "--count", "fr=2", "--out", tmp_path / "tries")


def test_voices_of_the_dev_split_say_other_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack, out = synthetic_pack(tmp_path / "pack", utterances=24, speakers=4, noises=2), tmp_path / "set"
    texts = [{"language": "es", "text": text} for text in ("Hasta luego.", "Buenas tardes a todos.")]
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in texts))
    run(
        monkeypatch,
        pack,
        "--split",
        "dev",
        "--texts",
        tmp_path / "texts.jsonl",
        "--count",
        "es=3",
        "--out",
        out,
    )
    rows = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert {row["text"] for row in rows} == {row["text"] for row in texts} and len(rows) == 3

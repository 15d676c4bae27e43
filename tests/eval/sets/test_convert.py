"""Public layouts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import soundfile

from speechx.batch.manifest import read_manifest
from speechx.errors import InputError
from speechx.eval.sets.convert import convert_set
from speechx.eval.sets.store import load_set


def test_public_layouts(tmp_path: Path, speech: Any) -> None:
    def put(path: str, seed: int) -> None:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(tmp_path / path, speech(2.0, seed=seed), 16000)

    put("dns/noisy/book_snr12_fileid_3.wav", 1)
    put("dns/clean/clean_fileid_3.wav", 2)
    for name in ("61-70968-0000", "61-70968-0001", "84-1-0002"):
        put(f"ls/test-clean/{name.split('-')[0]}/x/{name}.flac", 3)
    (tmp_path / "ls/test-clean/61/x/61-70968.trans.txt").write_text(
        "61-70968-0000 HE BEGAN\n61-70968-0001 HE WENT ON\n"
    )
    for part in ("mix_clean", "s1", "s2"):
        put(f"l2m/{part}/61-70968-0000_84-1-0002.wav", 4)
    put("seed/prompts/p.wav", 5)
    (tmp_path / "seed/meta.lst").write_text("common-1|he said|prompts/p.wav|they all came\n")

    convert_set("dns", tmp_path / "dns", tmp_path / "1", None, 1, "en", None)
    item = load_set(tmp_path / "1").items[0]
    assert item.meta["snr_db"] == 12 and item.text is None
    convert_set("libri2mix", tmp_path / "l2m", tmp_path / "2", None, 1, "en", tmp_path / "ls")
    item = load_set(tmp_path / "2").items[0]
    assert (
        item.text == "he began"
        and "interferer" in item.references
        and Path(item.fields["enrollment"]).is_file()
    )
    convert_set("seed-tts-eval", tmp_path / "seed/meta.lst", tmp_path / "3", None, 1, "en", None)
    assert load_set(tmp_path / "3").items[0].fields["text"] == "they all came"
    for folder in "123":
        manifest = read_manifest(tmp_path / folder / "manifest.jsonl")
        assert manifest.rows and not manifest.bad
    (tmp_path / "seed/latin.lst").write_text("common-1|dit|prompts/p.wav|un été\n", "latin1")
    with pytest.raises(InputError, match=r"source: .*latin.lst is not UTF-8 text"):
        convert_set("seed-tts-eval", tmp_path / "seed/latin.lst", tmp_path / "4", None, 1, "en", None)
    with pytest.raises(InputError, match="needs the LibriSpeech subset"):
        convert_set("libri2mix", tmp_path / "l2m", tmp_path / "4", None, 1, "en", None)

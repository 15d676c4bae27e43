"""Judges by name, and those that cannot be loaded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from speechx.errors import InputError
from speechx.eval.judges.judges import KINDS, Judges
from speechx.eval.scores import Unmeasurable


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Unmeasurable, match="Resemblyzer is not installed"):
        Judges().speaker_embedding(np.ones(16000, np.float32))


def test_measures_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("faster_whisper", reason="faster-whisper is not installed", exc_type=ImportError)

    def unreachable(name: str) -> str:
        raise OSError("no connection\nand a page of advice")

    monkeypatch.setattr("faster_whisper.utils.download_model", unreachable)
    for source, says in (
        ("org/ears", "there is no folder org/ears, and the hub gives no model of this name: no connection"),
        (str(tmp_path), f"{tmp_path} has no model.bin, which a model of faster-whisper (CTranslate2) has"),
    ):
        judges = Judges(asr=f"whisper:{source}", codec=None)
        for _ in range(2):
            with pytest.raises(Unmeasurable) as missing:
                judges.transcribe(np.zeros(16000, np.float32), "en")
            assert str(missing.value) == f"whisper: {says}"
        assert judges.describe()[0]["missing"] == f"whisper: {says}"


def test_a_folder_of_a_judge_below_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every judge gets the same path, whichever library loads it."""
    monkeypatch.setenv("HOME", str(tmp_path))
    given = dict[str, str | None]()
    for role, kinds in KINDS.items():
        for kind in kinds:
            monkeypatch.setitem(kinds, kind, lambda source, key=f"{role}/{kind}": given.update({key: source}))
    (tmp_path / "x").mkdir()
    judges = Judges("hubert:~/x", "wavlm:~/x", ["utmos:~/x", "dnsmos"])
    for role in ("asr", "speaker", "utmos", "dnsmos"):
        judges.model(role)
    path = str(tmp_path / "x")
    assert given == {"asr/hubert": path, "speaker/wavlm": path, "mos/utmos": path, "mos/dnsmos": None}
    assert (
        judges.identity() == Judges(f"hubert:{path}", f"wavlm:{path}", [f"utmos:{path}", "dnsmos"]).identity()
    )


def test_folders_and_names_of_judges_are_checked_at_once() -> None:
    for asr in ("whisper:/nowhere/x", "hubert:./nowhere", "whisper:some/where/x"):
        with pytest.raises(InputError) as refused:
            Judges(asr=asr)
        judge, _, source = asr.partition(":")
        assert str(refused.value) == f"asr: {judge} needs {source}, which does not exist"
    with pytest.raises(InputError, match=r"mos: utmos needs /nowhere/utmos.pt, which does not exist"):
        Judges(mos=["utmos:/nowhere/utmos.pt"])
    with pytest.raises(InputError, match="asr: 'ears' is unknown"):
        Judges(asr="ears")

"""Judges by name, and those that cannot be loaded."""

from __future__ import annotations

import numpy as np
import pytest

from speechx.errors import InputError
from speechx.eval.judges.judges import Judges
from speechx.eval.scores import Unmeasurable


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Unmeasurable, match="Resemblyzer is not installed"):
        Judges().speaker_embedding(np.ones(16000, np.float32))


def test_measures_that_are_missing_are_named() -> None:
    judges = Judges(asr="whisper:/nowhere/at/all/x", codec=None)
    for _ in range(2):
        with pytest.raises(Exception, match=r"whisper|Whisper"):
            judges.transcribe(np.zeros(16000, np.float32), "en")
    assert judges.describe()[0]["missing"]
    with pytest.raises(InputError, match="asr: 'ears' is unknown"):
        Judges(asr="ears")

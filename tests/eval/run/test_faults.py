"""Counting unusable outputs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from speechx.eval.judges.judges import Judges
from speechx.eval.run.faults import FAULTS, count_faults, faults_table
from speechx.eval.sets.store import TestSet
from speechx.eval.systems.systems import ground_truth
from tests.helpers.systems import FaultySystem


def test_each_fault_is_counted(test_set: TestSet, judges: Judges) -> None:
    items = test_set.chosen(["tts", "noise_suppression"])
    found = count_faults(items, FaultySystem(), judges, 5 * len(items))
    for ability, counts in found.items():
        own = sum(item.ability == ability for item in items)
        assert counts.tries == 5 * len(items)
        assert counts.faults["failed"] == counts.faults["silent"] == own
        assert counts.faults["run_on"] == 2 * own and counts.faults["loop"] == 0
        assert all(name.rsplit("-", 1)[1] in "2345" for name, _ in counts.faulty)
    assert all(fault in faults_table(found).splitlines()[0] for fault in FAULTS)


def test_the_same_words_again_and_again(
    test_set: TestSet, fakes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (item, *_) = test_set.chosen(["tts"])
    asr = fakes["asr"]
    said = asr.transcribe([ground_truth(item)], [item.language])[0]
    looping = replace(said, text="and again and again and again and again")
    monkeypatch.setattr(asr, "transcribe", lambda wavs, languages: [looping] * len(wavs))
    found = count_faults([item], FaultySystem(), Judges(models=fakes), 1)
    assert found[item.ability].faulty == [(f"{item.id}-1", "loop")]
    # A loop that is gone when the output is heard again was the recognizer's.
    first = len(ground_truth(item))
    monkeypatch.setattr(
        asr, "transcribe", lambda wavs, _: [looping if len(w) == first else said for w in wavs]
    )
    assert count_faults([item], FaultySystem(), Judges(models=fakes), 1)[item.ability].faulty == []
    # What is left when speech is removed may well be silence, or repeat itself.
    (rest, *_) = test_set.chosen(["speech_removal"])
    assert count_faults([rest], FaultySystem(), Judges(models=fakes), 1)[rest.ability].faulty == []

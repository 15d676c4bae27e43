"""Counting unusable outputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from speechx.eval.items import Item, Output
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


class SaysTheVoice(FaultySystem):
    """Gives the recording of the voice back."""

    def outputs(self, items: Iterable[Item]) -> Iterator[tuple[Item, Output | Exception]]:
        for item in items:
            yield item, Output(item.recording("voice"))


def test_words_of_the_voices_own_recording(test_set: TestSet, judges: Judges) -> None:
    (item, *_) = test_set.chosen(["tts"])
    found = count_faults([item], SaysTheVoice(), judges, 1)[item.ability]
    assert found.faulty == [(f"{item.id}-1", "leaked")]


def test_the_same_words_again_and_again(
    test_set: TestSet, fakes: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (item, *_) = test_set.chosen(["tts"])
    asr = fakes["asr"]
    said = asr.transcribe([ground_truth(item)], [item.language])[0]
    looping = replace(said, text="and again and again and again and again")
    voice_T = item.recording("voice")

    def hears(wavs: list[Any], _: list[str]) -> list[Any]:
        return [said if np.array_equal(w, voice_T) else looping for w in wavs]

    monkeypatch.setattr(asr, "transcribe", hears)
    found = count_faults([item], FaultySystem(), Judges(models=fakes), 1)
    assert found[item.ability].faulty == [(f"{item.id}-1", "loop")]
    # A loop that is gone when the output is heard again was the recognizer's.
    first_T = ground_truth(item)
    monkeypatch.setattr(
        asr, "transcribe", lambda wavs, _: [looping if np.array_equal(w, first_T) else said for w in wavs]
    )
    assert count_faults([item], FaultySystem(), Judges(models=fakes), 1)[item.ability].faulty == []
    # What is left when speech is removed may well be silence, or repeat itself.
    (rest, *_) = test_set.chosen(["speech_removal"])
    assert count_faults([rest], FaultySystem(), Judges(models=fakes), 1)[rest.ability].faulty == []

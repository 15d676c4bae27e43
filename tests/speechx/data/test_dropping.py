"""Damaged copies of recordings by SpeechBrain, and without it a sentence."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from speechx.data.dropping import Dropper
from speechx.data.packs import AudioPack
from speechx.data.perturb import perturb_pack
from speechx.errors import InputError
from tests.helpers.optional import need

REASON = "speechbrain needs torchaudio"
RATE = 16000


def test_without_speechbrain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "speechbrain.augment.time_domain", None)
    with pytest.raises(InputError, match=r"drop: it needs SpeechBrain \(pip install") as found:
        Dropper(RATE)
    assert found.value.field == "drop"


def test_bands_and_stretches_are_missing() -> None:
    need("speechbrain.augment.time_domain", reason=REASON)
    noise_T = np.random.default_rng(1).normal(0, 0.1, 5 * RATE + 7).astype(np.float32)
    drop = Dropper(RATE)
    one_T, other_T = drop(noise_T, 3), drop(noise_T, 4)
    np.testing.assert_array_equal(one_T, drop(noise_T, 3))
    assert one_T.shape == noise_T.shape and one_T.dtype == np.float32 and not np.array_equal(one_T, other_T)
    silent = np.convolve(one_T == 0, np.ones(RATE // 20), "valid").max()
    assert silent == RATE // 20, "50 ms in a row are zero"
    was, now = (
        np.abs(np.fft.rfft(x[: 5 * RATE])).reshape(-1)[:-1].reshape(400, -1).mean(1) for x in (noise_T, one_T)
    )
    assert (now / was).min() < 0.5 * np.median(now / was), "a band is weaker than the others"


def test_a_pack_of_damaged_utterances(pack_folder: Path, tmp_path: Path) -> None:
    need("speechbrain.augment.time_domain", reason=REASON)
    old = {
        row.id: row for row in AudioPack(pack_folder).rows if row.split == "train" and row.speaker is not None
    }
    assert perturb_pack(pack_folder, tmp_path / "new", drop=True) == len(old)
    before, new = AudioPack(pack_folder), AudioPack(tmp_path / "new")
    for row in new.rows:
        if row.speaker is not None:
            was = old[row.id.removesuffix("@dropped0")]
            assert (row.speaker, row.text, row.samples) == (was.speaker, was.text, was.samples)
            assert not np.array_equal(new.audio(row), before.audio(was))

"""Damaged recordings: a copy of each with bands and stretches missing, by SpeechBrain's augmentations.

They need the extra `speechbrain`. DropFreq cuts one to three narrow bands out, DropChunk silences one to five stretches (the
values of SpeechBrain's recipes for LibriSpeech). Masks of bands and stretches: SpecAugment, Park et al. 2019, section 2.
Shapes: T samples.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from speechx.errors import InputError

__all__ = ["Dropper"]

SHORTEST, LONGEST = 0.0625, 0.125
"""Seconds of a stretch that is silenced."""

STEP = 2.0
"""Seconds to a multiple of which a sound is padded: torch keeps memory for each length that it has convolved."""


class Dropper:
    """(T,) and a seed -> (T,). rate: Hz. Raises InputError without SpeechBrain."""

    def __init__(self, rate: int) -> None:
        try:
            from speechbrain.augment.time_domain import DropChunk, DropFreq
        except (ImportError, OSError) as error:  # torchaudio's libraries may not fit torch's
            raise InputError(
                f'drop: it needs SpeechBrain (pip install "speechx[speechbrain]"): {error}', field="drop"
            ) from error
        self._size = round(STEP * rate)
        self._bands: Any = DropFreq(drop_freq_count_low=1, drop_freq_count_high=3)
        self._stretches: Any = DropChunk(
            drop_length_low=round(SHORTEST * rate), drop_length_high=round(LONGEST * rate),
            drop_count_low=1, drop_count_high=5,
        )  # fmt: skip

    def __call__(self, wav_T: np.ndarray, seed: int) -> np.ndarray:
        """The same for the same seed. Not for several threads: SpeechBrain draws from torch's one stream."""
        import torch

        samples = len(wav_T)
        padded_T = np.pad(np.asarray(wav_T, np.float32), (0, -samples % self._size))
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            torch.manual_seed(seed)
            banded_BT = self._bands(torch.from_numpy(padded_T)[None])
            out_BT = self._stretches(banded_BT, torch.tensor([samples / len(padded_T)]))
        return np.asarray(out_BT[0, :samples].numpy(), np.float32)

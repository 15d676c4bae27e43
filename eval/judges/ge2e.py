"""GE2E speaker embeddings (Wan et al. 2018) with the weights that package Resemblyzer ships.

The network is three LSTM layers, so it is built here: the package itself needs librosa and a VAD in C. Unlike the package,
silence is cut at both ends only, not within. Shapes: N recordings, P partial utterances, S frames, M mel bands, D = 256.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from speechx.audio.levels import rms
from speechx.eval.items import RATE
from speechx.eval.judges.base import JudgeInfo, file_hash, package_version, packaged_file
from speechx.eval.metrics.mel import mel_power
from speechx.eval.scores import Unmeasurable

__all__ = ["GE2E"]

FRAMES = 160
"""10 ms frames of a partial utterance; they overlap by half."""

LEVEL = 10 ** (-30 / 20)
"""Quiet recordings are raised to -30 dBFS; loud ones are left."""


class GE2E:
    """A `SpeakerEncoder`."""

    def __init__(self) -> None:
        import torch
        from torch import nn

        path = packaged_file("resemblyzer", "pretrained.pt", "Resemblyzer")
        self.info = JudgeInfo(
            "ge2e",
            "Resemblyzer",
            package_version("Resemblyzer"),
            file_hash(path),
            "silence cut at the ends only",
        )
        state = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
        self._lstm = nn.LSTM(40, 256, 3, batch_first=True)
        self._linear = nn.Linear(256, 256)
        for name, part in (("lstm", self._lstm), ("linear", self._linear)):
            part.load_state_dict(
                {k.removeprefix(f"{name}."): v for k, v in state.items() if k.startswith(f"{name}.")}
            )
            part.eval()

    def embed(self, wavs: Sequence[np.ndarray]) -> np.ndarray:
        return np.stack([self._embed(wav_T) for wav_T in wavs])

    def _embed(self, wav_T: np.ndarray) -> np.ndarray:
        """(D,): the mean over partial utterances, of length 1."""
        import torch

        from speechx.task.frontend import trim

        level = rms(wav_T)
        if level < 1e-4:
            raise Unmeasurable("silence has no speaker")
        wav_T = trim(wav_T, RATE)
        mel_SM = mel_power(wav_T * max(1.0, LEVEL / level)).astype(np.float32)
        mel_SM = np.pad(mel_SM, ((0, max(0, FRAMES - len(mel_SM))), (0, 0)))
        starts = range(0, len(mel_SM) - FRAMES + 1, FRAMES // 2)
        mel_PSM = torch.from_numpy(np.stack([mel_SM[s : s + FRAMES] for s in starts]))
        with torch.inference_mode():
            _, (hidden, _) = self._lstm(mel_PSM)
            raw_PD = torch.relu(self._linear(hidden[-1]))
            mean_D = torch.nn.functional.normalize(raw_PD, dim=1).mean(0)
            return torch.nn.functional.normalize(mean_D, dim=0).numpy()

"""Masks on a recording, from a generated estimate of its speech, of one speaker, or of its background.

A wrong code is a wrong sound in generated audio, while the recording holds the right one. So tasks that follow a recording
output the recording itself, attenuated in each band. `RefinerMask` takes the gains from a small net trained on the language
model's output (speechx.models.refiner). `RatioMask` is the fallback: a ratio mask (Narayanan and Wang 2013) of the
estimate's and the recording's power. docs/log.md has what both gain.

Shapes: T samples, M STFT frames, F bins, B bands, X features of the net.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np
import torch

from speechx.audio import levels
from speechx.audio.mel import htk_filters
from speechx.models.refiner import voice_features

if TYPE_CHECKING:
    from speechx.models.refiner import Refiner
    from speechx.task.frontend import Frontend
    from speechx.task.plan import MaskedRecording

__all__ = ["Mask", "RatioMask", "RefinerMask", "recording_mask"]


class Mask(ABC):
    """`push` the estimate as it is made, from the first sample on; `close` at the end. Gives the masked recording, as long
    as what was pushed, some 70 ms later. The same in pieces and as a whole.

    recording_T: the estimate at its level and its moments. hop: samples from frame to frame. look: frames of the
    estimate that must be known after the one that is given its gain. overlap: what the windows' squares add up to.
    """

    def __init__(
        self, recording_T: np.ndarray, window_T: np.ndarray, hop: int, look: int, overlap: float
    ) -> None:
        self._recording_T, self._window_T, self._hop, self._look = recording_T, window_T, hop, look
        self._scale = np.float32(1 / overlap)
        # Frame m covers the samples from m * hop - lead on: every sample is in as many of them as any other.
        self._lead = len(window_T) - hop
        self._estimate_T = np.zeros(self._lead, np.float32)  # from the start of the next frame on
        self._pushed = self._given = 0
        self._frames = self._done = 0  # of the estimate: analyzed, and given their gain
        self._sum_T = np.zeros(self._lead, np.float32)  # begun, not complete

    def push(self, estimate_T: np.ndarray) -> np.ndarray:
        """(T,) more samples of the estimate -> the samples of the output that are final now."""
        self._pushed += len(estimate_T)
        self._estimate_T = np.concatenate([self._estimate_T, estimate_T])
        self._analyze()
        return self._resynthesized(self._frames - self._look)

    def close(self) -> np.ndarray:
        """The rest."""
        self._estimate_T = np.pad(self._estimate_T, (0, len(self._window_T)))
        self._analyze()
        return self._resynthesized(self._frames)

    @abstractmethod
    def _add_estimate(self, estimate_MF: np.ndarray) -> None:
        """More frames of the estimate."""

    @abstractmethod
    def _masked(self, start: int, stop: int) -> np.ndarray:
        """(M, F) of the output, frames [start, stop), which are asked for in order."""

    def _spectra(self, start: int, stop: int) -> np.ndarray:
        """Frames [start, stop) of the recording, (M, F); beyond its ends it is silent."""
        first, last = start * self._hop - self._lead, (stop - 1) * self._hop + self._hop
        part_T = self._recording_T[max(0, first) : max(0, last)]
        before = max(0, -first)
        return self._stft(np.pad(part_T, (before, last - first - before - len(part_T))))

    def _analyze(self) -> None:
        size = len(self._window_T)
        count = max(0, (len(self._estimate_T) - size) // self._hop + 1)
        if count:
            self._add_estimate(self._stft(self._estimate_T[: (count - 1) * self._hop + size]))
            self._estimate_T = self._estimate_T[count * self._hop :]
            self._frames += count

    def _stft(self, wav_T: np.ndarray) -> np.ndarray:
        frames_MT = np.lib.stride_tricks.sliding_window_view(wav_T, len(self._window_T))[:: self._hop]
        return np.fft.rfft(frames_MT * self._window_T).astype(np.complex64)

    def _resynthesized(self, until: int) -> np.ndarray:
        """Gains for the frames before `until`, and the samples that no later frame touches."""
        count = until - self._done
        if count <= 0:
            return np.zeros(0, np.float32)
        masked_MF = self._masked(self._done, until)
        size, hop = len(self._window_T), self._hop
        pieces_MT = np.fft.irfft(masked_MF, size).astype(np.float32) * self._window_T
        sum_T = np.pad(self._sum_T, (0, count * hop))
        for m, piece_T in enumerate(pieces_MT):
            sum_T[m * hop : m * hop + size] += piece_T
        start = self._done * hop - self._lead  # of sum_T, in samples of the output
        self._done = until
        self._sum_T = sum_T[count * hop :]
        out_T = sum_T[max(0, -start) : count * hop][: self._pushed - self._given]
        self._given += len(out_T)
        return out_T * self._scale


def recording_mask(recording: MaskedRecording | None, frontend: Frontend) -> Mask | None:
    """The mask of a plan; None where the generated audio itself is the output."""
    if recording is None:
        return None
    net = frontend.refiner
    if net is None or recording.slot not in net.config.slots:
        return RatioMask(recording.wav_T, frontend.sample_rate) if recording.target == "speech" else None
    voice_FK = recording.voice_FK
    voice_V = None if voice_FK is None else voice_features(voice_FK, frontend.codec, net.config)
    return RefinerMask(recording.wav_T, net.for_slot(recording.slot), recording.slot, voice_V)


HOP_SECONDS = 0.008
"""A quarter of a window."""
LOOK = 4
"""Frames on both sides that say how loud a moment is: 32 ms."""
NEAR = 1
"""The same for the level of a band."""
BANDS = 24
GENEROUS = 2.0
"""The estimate counts for so many times its power: what it cuts off too much of is words."""
FLOOR, FLOOR_IN_SILENCE = 0.2, 0.03
"""Lowest gain where the estimate is about as loud as the recording, and where the estimate is silent."""


class RatioMask(Mask):
    """A band passes as far as the estimate, of this moment, has power there."""

    def __init__(self, recording_T: np.ndarray, rate: int) -> None:
        hop = round(HOP_SECONDS * rate)
        window_T = np.hanning(4 * hop + 1)[:-1].astype(np.float32)
        super().__init__(recording_T, window_T, hop=hop, look=LOOK, overlap=1.5)
        self._bands_BF = htk_filters(rate, 4 * hop, BANDS)
        spread_FB = self._bands_BF.T.copy()
        spread_FB[0, 0] = spread_FB[-1, -1] = 1  # no triangle reaches the ends
        self._spread_FB = spread_FB / spread_FB.sum(1, keepdims=True)
        self._spectrum_MF = np.zeros((0, 2 * hop + 1), np.complex64)  # of the recording, from frame _kept on
        self._power_M2B = np.zeros(
            (0, 2, BANDS + 1), np.float32
        )  # estimate, recording; the last band is all of them
        self._kept = 0

    def _add_estimate(self, estimate_MF: np.ndarray) -> None:
        recording_MF = self._spectra(self._frames, self._frames + len(estimate_MF))
        power_M2F = np.stack([np.abs(estimate_MF) ** 2, np.abs(recording_MF) ** 2], 1)
        power_M2B = np.concatenate([power_M2F @ self._bands_BF.T, power_M2F.sum(-1, keepdims=True)], -1)
        self._power_M2B = np.concatenate([self._power_M2B, power_M2B])
        self._spectrum_MF = np.concatenate([self._spectrum_MF, recording_MF])

    def _masked(self, start: int, stop: int) -> np.ndarray:
        gain_MF = np.stack([self._gain(m - self._kept) for m in range(start, stop)])
        masked_MF = self._spectrum_MF[start - self._kept : stop - self._kept] * gain_MF
        drop = stop - LOOK - self._kept
        if drop > 0:
            self._kept += drop
            self._spectrum_MF, self._power_M2B = self._spectrum_MF[drop:], self._power_M2B[drop:]
        return np.asarray(masked_MF)

    def _gain(self, at: int) -> np.ndarray:
        """(F,) of the frame `at` of those kept."""
        estimate_B, recorded_B = self._power_M2B[max(0, at - NEAR) : at + NEAR + 1].sum(0)
        estimate, recorded = self._power_M2B[max(0, at - LOOK) : at + LOOK + 1, :, -1].sum(0)
        speaks = np.sqrt(GENEROUS * estimate / max(recorded, 1e-10))
        floor = np.clip(2 * FLOOR * speaks, FLOOR_IN_SILENCE, FLOOR)
        ratio_B = np.sqrt(np.minimum(1, GENEROUS * estimate_B[:-1] / np.maximum(recorded_B[:-1], 1e-10)))
        return np.asarray(self._spread_FB @ np.maximum(ratio_B, floor))


class RefinerMask(Mask):
    """`net` predicts the gain of each bin, and how much of the estimate to add.

    slot: of the task. voice_V: of the target speaker, where the task has one (speechx.models.refiner.voice_features).
    """

    def __init__(
        self, recording_T: np.ndarray, net: Refiner, slot: int, voice_V: torch.Tensor | None = None
    ) -> None:
        shape = net.config
        window_T = np.sqrt(np.hanning(shape.window + 1)[:-1]).astype(np.float32)
        super().__init__(recording_T, window_T, shape.hop, shape.look, overlap=1.0)
        self._net, self._gain = net, np.float32(levels.standard_gain(recording_T, shape.sample_rate))
        if voice_V is None:
            voice_V = torch.zeros(net.config.voice_shape)
        with torch.inference_mode():
            task_B = torch.tensor([net.config.slots.index(slot)])
            self._condition = net.condition(task_B, voice_V[None])
        self._ahead_state: torch.Tensor | None = None
        self._fused_state: torch.Tensor | None = None
        # Of the recording, and of the estimate: spectra and features from frame _done on.
        self._recording_MF = self._estimate_MF = np.zeros((0, shape.bins), np.complex64)
        empty_BMX = torch.zeros(1, 0, net.feature_dim)
        self._recording_BMX = self._estimate_BMX = empty_BMX
        self._known_BMH = torch.zeros(1, 0, net.hidden_dim)  # from frame _done + ahead on
        self._read = 0  # frames of the recording that `ahead` has seen

    def _add_estimate(self, estimate_MF: np.ndarray) -> None:
        self._estimate_MF = np.concatenate([self._estimate_MF, estimate_MF])
        self._estimate_BMX = self._joined(self._estimate_BMX, self._features(estimate_MF))

    def _masked(self, start: int, stop: int) -> np.ndarray:
        count = stop - start
        with torch.inference_mode():
            self._look_ahead(stop + self._net.config.ahead)
            later_BMX = self._estimate_BMX[:, self._look : self._look + count]
            missing = count - later_BMX.shape[1]
            if missing:  # the end of the estimate
                later_BMX = torch.nn.functional.pad(later_BMX, (0, 0, 0, missing), value=self._net.silence)
            gain_BMF, added_BMF, self._fused_state = self._net.fuse(
                self._known_BMH[:, :count], self._recording_BMX[:, :count], self._estimate_BMX[:, :count],
                later_BMX, self._condition[1], self._fused_state,
            )  # fmt: skip
        masked_MF = (
            gain_BMF[0].numpy() * self._recording_MF[:count]
            + added_BMF[0].numpy() * self._estimate_MF[:count]
        )
        self._recording_MF, self._estimate_MF = self._recording_MF[count:], self._estimate_MF[count:]
        self._recording_BMX, self._estimate_BMX = (
            self._recording_BMX[:, count:],
            self._estimate_BMX[:, count:],
        )
        self._known_BMH = self._known_BMH[:, count:]
        return np.asarray(masked_MF)

    def _look_ahead(self, until: int) -> None:
        """Reads the recording up to frame `until`."""
        recording_MF = self._spectra(self._read, until)
        features_BMX = self._features(recording_MF)
        known_BMH, self._ahead_state = self._net.encode(features_BMX, self._condition[0], self._ahead_state)
        # What is known after the first `ahead` frames nobody asks for.
        self._known_BMH = self._joined(
            self._known_BMH, known_BMH[:, max(0, self._net.config.ahead - self._read) :]
        )
        self._recording_MF = np.concatenate([self._recording_MF, recording_MF])
        self._recording_BMX = self._joined(self._recording_BMX, features_BMX)
        self._read = until

    def _features(self, spectrum_MF: np.ndarray) -> torch.Tensor:
        with torch.inference_mode():
            return self._net.features(torch.from_numpy(spectrum_MF * self._gain)[None])

    @staticmethod
    def _joined(a_BMX: torch.Tensor, b_BMX: torch.Tensor) -> torch.Tensor:
        return torch.cat([a_BMX, b_BMX], 1)

"""What a recording keeps of itself: a generated estimate of a part of it (its speech, one of its speakers) as a mask.

Every code the model gets wrong is a wrong sound, though the right one is there, in the recording. So where the output
follows a recording, the recording itself is heard, attenuated in each band as far as it is louder than the estimate: a ratio
mask (Narayanan and Wang 2013) from a generative model instead of a classifier. docs/experiments.md has what it
gains.

Shapes: T samples, M STFT frames, F bins, B bands.
"""

from __future__ import annotations

import numpy as np

from speechx.mel import htk_filters

__all__ = ["Mask"]

WINDOW, HOP = 512, 128
LOOK = 4
"""Frames on both sides that say how loud a moment is: 32 ms."""
NEAR = 1
"""The same for the level of a band."""
BANDS = 24
GENEROUS = 2.0
"""The estimate counts for so many times its power: what it cuts off too much of is words."""
FLOOR, FLOOR_IN_SILENCE = 0.2, 0.03
"""Least gain while the estimate has about the level of the recording, and while it says nothing."""


class Mask:
    """`push` the estimate as it is made, from the first sample on; `close` at the end. Gives the masked recording, as long
    as what was pushed, 64 ms later. The same in pieces and as a whole.

    recording_T: at 16 kHz; the estimate at its level and its moments.
    """

    def __init__(self, recording_T: np.ndarray) -> None:
        self._recording_T = recording_T
        self._window = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
        self._bands_BF = htk_filters(16000, WINDOW, BANDS)
        spread_FB = self._bands_BF.T.copy()
        spread_FB[0, 0] = spread_FB[-1, -1] = 1  # no triangle reaches the ends
        self._spread_FB = spread_FB / spread_FB.sum(1, keepdims=True)
        # Frame m covers the samples from m * HOP - (WINDOW - HOP) on: every sample is in four of them.
        self._estimate_T = np.zeros(WINDOW - HOP, np.float32)  # from the start of the next frame on
        self._pushed = self._given = 0
        self._frames = self._done = 0  # analyzed, and given their gain
        self._spectrum_MF = np.zeros(
            (0, WINDOW // 2 + 1), np.complex64
        )  # of the recording, from frame _kept on
        self._power_M2B = np.zeros(
            (0, 2, BANDS + 1), np.float32
        )  # estimate, recording; the last band is all of them
        self._kept = 0
        self._sum_T = np.zeros(WINDOW - HOP, np.float32)  # begun, not complete

    def push(self, estimate_T: np.ndarray) -> np.ndarray:
        """(T,) more samples of the estimate -> the samples of the output that are final now."""
        self._pushed += len(estimate_T)
        self._estimate_T = np.concatenate([self._estimate_T, estimate_T])
        self._analyze()
        return self._made(self._frames - LOOK)

    def close(self) -> np.ndarray:
        """The rest."""
        self._estimate_T = np.pad(self._estimate_T, (0, WINDOW))
        self._analyze()
        return self._made(self._frames)

    def _analyze(self) -> None:
        count = max(0, (len(self._estimate_T) - WINDOW) // HOP + 1)
        if not count:
            return
        start, size = self._frames * HOP - (WINDOW - HOP), (count - 1) * HOP + WINDOW
        heard_T = self._recording_T[max(0, start) : max(0, start + size)]
        before = max(0, -start)
        heard_T = np.pad(heard_T, (before, max(0, size - before - len(heard_T))))
        estimate_MF, heard_MF = self._stft(self._estimate_T[:size]), self._stft(heard_T)
        self._estimate_T = self._estimate_T[count * HOP :]
        power_M2F = np.stack([np.abs(estimate_MF) ** 2, np.abs(heard_MF) ** 2], 1)
        power_M2B = np.concatenate([power_M2F @ self._bands_BF.T, power_M2F.sum(-1, keepdims=True)], -1)
        self._power_M2B = np.concatenate([self._power_M2B, power_M2B])
        self._spectrum_MF = np.concatenate([self._spectrum_MF, heard_MF])
        self._frames += count

    def _stft(self, wav_T: np.ndarray) -> np.ndarray:
        frames_MT = np.lib.stride_tricks.sliding_window_view(wav_T, WINDOW)[::HOP]
        return np.fft.rfft(frames_MT * self._window).astype(np.complex64)

    def _made(self, until: int) -> np.ndarray:
        """Gains for the frames before `until`, and the samples that no later frame touches."""
        count = until - self._done
        if count <= 0:
            return np.zeros(0, np.float32)
        gain_MF = np.stack([self._gain(m - self._kept) for m in range(self._done, until)])
        first = self._done - self._kept
        masked_MF = self._spectrum_MF[first : first + count] * gain_MF
        pieces_MT = np.fft.irfft(masked_MF, WINDOW).astype(np.float32) * self._window
        sum_T = np.pad(self._sum_T, (0, count * HOP))
        for m, piece_T in enumerate(pieces_MT):
            sum_T[m * HOP : m * HOP + WINDOW] += piece_T
        start = self._done * HOP - (WINDOW - HOP)  # of sum_T, in samples of the output
        self._done = until
        self._forget()
        self._sum_T = sum_T[count * HOP :]
        out_T = sum_T[max(0, -start) : count * HOP][: self._pushed - self._given]
        self._given += len(out_T)
        return out_T / np.float32(1.5)  # the squares of four Hann windows

    def _gain(self, at: int) -> np.ndarray:
        """(F,) of the frame `at` of those kept."""
        estimate_B, heard_B = self._power_M2B[max(0, at - NEAR) : at + NEAR + 1].sum(0)
        estimate, heard = self._power_M2B[max(0, at - LOOK) : at + LOOK + 1, :, -1].sum(0)
        speaks = np.sqrt(GENEROUS * estimate / max(heard, 1e-10))
        floor = np.clip(2 * FLOOR * speaks, FLOOR_IN_SILENCE, FLOOR)
        ratio_B = np.sqrt(np.minimum(1, GENEROUS * estimate_B[:-1] / np.maximum(heard_B[:-1], 1e-10)))
        return np.asarray(self._spread_FB @ np.maximum(ratio_B, floor))

    def _forget(self) -> None:
        drop = self._done - LOOK - self._kept
        if drop > 0:
            self._kept += drop
            self._spectrum_MF, self._power_M2B = self._spectrum_MF[drop:], self._power_M2B[drop:]

"""Fundamental frequency of clean speech, a training target of the codec's harmonic source.

Normalized cross-correlation with dynamic programming over lags (RAPT, Talkin 1995, sections 3 and 4).
Shapes: T samples at 16 kHz, S frames at 100 Hz, L lags.
"""

from __future__ import annotations

import numpy as np

HOP, RATE = 80, 8000
"""Of the analysis: half the rate of the sound is enough for F0, and twice as fast."""

LOWEST, HIGHEST = 60.0, 500.0
WINDOW = 320
REACH = 6
"""Lags that a period may change by from one frame to the next."""


def pitch(wav_T: np.ndarray, voicing: float = 0.5) -> np.ndarray:
    """F0 in Hz of each frame, (ceil(T / 160),) float32, 0 where unvoiced. Frame s is centered on sample 160 s."""
    frames = -(-len(wav_T) // (2 * HOP))
    wav_T = np.pad(np.asarray(wav_T, np.float32), (1, 1 + len(wav_T) % 2))
    wav_T = 0.25 * wav_T[:-2:2] + 0.5 * wav_T[1:-1:2] + 0.25 * wav_T[2::2]
    short, long = int(RATE / HIGHEST), int(RATE / LOWEST)
    size = WINDOW + long
    padded_T = np.pad(wav_T, (size // 2, size))
    blocks_SW = np.lib.stride_tricks.sliding_window_view(padded_T, size)[: frames * HOP : HOP]
    likeness_SL = np.concatenate(
        [_correlation(part, short, long) for part in np.array_split(blocks_SW, -(-frames // 500))]
    )
    energy_S = np.square(blocks_SW[:, :WINDOW]).mean(1)
    # Long lags match as well as short ones at every multiple of the period: prefer the shortest.
    lags_L = np.arange(short, long)
    score_SL = likeness_SL - 0.12 * np.log2(lags_L / short) / np.log2(long / short)
    score_SL = np.where(energy_S[:, None] > max(1e-8, 1e-4 * float(energy_S.max(initial=0))), score_SL, -1.0)
    path_S = _best_path(score_SL, voicing)
    return _refined(path_S, likeness_SL, lags_L)


def _correlation(blocks_SW: np.ndarray, short: int, long: int) -> np.ndarray:
    """Normalized correlation of each block's head with itself `lag` later, (S, L)."""
    blocks_SW = blocks_SW - blocks_SW.mean(1, keepdims=True)
    size = 1024
    head = np.fft.rfft(blocks_SW[:, :WINDOW], size)
    cross_SL = np.fft.irfft(np.fft.rfft(blocks_SW, size) * head.conj(), size)[:, short:long]
    power = np.concatenate(
        [np.zeros((len(blocks_SW), 1)), np.cumsum(np.square(blocks_SW, dtype=np.float64), 1)], 1
    )
    lags_L = np.arange(short, long)
    shifted_SL = power[:, lags_L + WINDOW] - power[:, lags_L]
    return (cross_SL / np.sqrt(shifted_SL * power[:, WINDOW, None] + 1e-9)).astype(np.float32)


def _best_path(score_SL: np.ndarray, voicing: float) -> np.ndarray:
    """Lag index of each frame, -1 where unvoiced (Viterbi; a change of voicing and a jump of the lag cost)."""
    frames, lags = score_SL.shape
    jump = 0.04 * np.abs(np.arange(-REACH, REACH + 1))
    change = 0.25
    back_SL, voiced_from_S = np.zeros((frames, lags), np.int16), np.zeros((frames, 2), np.int16)
    best_L, silent = score_SL[0].astype(np.float64), voicing
    wide = np.full(lags + 2 * REACH, -np.inf)
    window_LR = np.lib.stride_tricks.sliding_window_view(wide, 2 * REACH + 1)
    everywhere_L = np.arange(lags)
    for s in range(1, frames):
        wide[REACH:-REACH] = best_L
        near_LR = window_LR - jump
        step_L = near_LR.argmax(1)
        stay_L = near_LR[everywhere_L, step_L]
        top = int(best_L.argmax())
        from_silence = silent - change
        back_SL[s] = np.where(stay_L >= from_silence, everywhere_L + step_L - REACH, -1)
        voiced_from_S[s, 0] = top if best_L[top] - change > silent else -1
        new_silent = max(silent, best_L[top] - change) + voicing
        best_L = np.maximum(stay_L, from_silence) + score_SL[s]
        silent = new_silent
    path_S = np.empty(frames, np.int64)
    state = int(best_L.argmax()) if best_L.max() > silent else -1
    for s in range(frames - 1, -1, -1):
        path_S[s] = state
        state = int(back_SL[s, state]) if state >= 0 else int(voiced_from_S[s, 0])
    return path_S


def _refined(path_S: np.ndarray, likeness_SL: np.ndarray, lags_L: np.ndarray) -> np.ndarray:
    """Frequencies of a path, the lag refined by a parabola through its neighbors."""
    rows, at = np.arange(len(path_S)), np.clip(path_S, 1, likeness_SL.shape[1] - 2)
    left, middle, right = likeness_SL[rows, at - 1], likeness_SL[rows, at], likeness_SL[rows, at + 1]
    bend = left - 2 * middle + right
    shift = np.where(
        np.abs(bend) > 1e-6, 0.5 * (left - right) / np.where(np.abs(bend) > 1e-6, bend, 1.0), 0.0
    )
    hertz = RATE / (lags_L[at] + np.clip(shift, -1, 1))
    return np.where(path_S >= 0, hertz, 0.0).astype(np.float32)

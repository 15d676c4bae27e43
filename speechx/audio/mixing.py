"""Makes mixtures: gains for a signal-to-noise ratio, lengths, cross-fades. Shapes: T samples, float32, mono."""

from __future__ import annotations

import numpy as np

from speechx.audio.levels import QUIETEST_RMS, active_rms

__all__ = [
    "crossfade",
    "fit_length",
    "random_crop",
    "scaled_to_ratio",
]


def fit_length(wav_T: np.ndarray, samples: int) -> np.ndarray:
    """Cut or repeated to exactly `samples`; repeats are joined with a 10 ms cross-fade."""
    if len(wav_T) == 0:
        return np.zeros(samples, np.float32)
    out_T, fade = wav_T, min(160, len(wav_T) // 4)
    while len(out_T) < samples:
        joint_T = crossfade(out_T[len(out_T) - fade :], wav_T[:fade])
        out_T = np.concatenate([out_T[: len(out_T) - fade], joint_T, wav_T[fade:]])
    return np.asarray(out_T[:samples], np.float32)


def random_crop(wav_T: np.ndarray, samples: int, rng: np.random.Generator) -> np.ndarray:
    """A random segment of `samples`, or all of a shorter recording."""
    start = int(rng.integers(0, max(1, len(wav_T) - samples + 1)))
    return wav_T[start : start + samples]


def scaled_to_ratio(wanted_T: np.ndarray, other_T: np.ndarray, ratio_db: float) -> np.ndarray:
    """`other` with the gain that puts its active RMS `ratio_db` below that of `wanted`, cut or repeated to its length."""
    other_T = fit_length(other_T, len(wanted_T))
    level = active_rms(other_T)
    if level < QUIETEST_RMS:
        return np.zeros_like(wanted_T)
    factor = active_rms(wanted_T) / level * 10 ** (-ratio_db / 20)
    return (other_T * factor).astype(np.float32)


def crossfade(out_T: np.ndarray, in_T: np.ndarray) -> np.ndarray:
    """A cross-fade at constant power between two signals of the same length, for any correlation.

    Equal-power curves fit uncorrelated signals, linear ones equal signals. Here the gains of the equal-power curves are
    divided by the power that they give for the measured correlation.
    """
    assert out_T.shape == in_T.shape, (out_T.shape, in_T.shape)
    if len(out_T) == 0:
        return np.zeros(0, np.float32)
    phase_T = (np.arange(len(out_T)) + 0.5) / len(out_T) * (np.pi / 2)
    down_T, up_T = np.cos(phase_T), np.sin(phase_T)
    energy = float(np.sqrt(np.dot(out_T, out_T) * np.dot(in_T, in_T)))
    # Opposite signals would need an infinite gain: the correlation is clipped at -0.5.
    correlation = max(-0.5, float(np.dot(out_T, in_T)) / energy) if energy > 1e-12 else 0.0
    power_T = np.sqrt(1 + 2 * correlation * down_T * up_T)
    return ((out_T * down_T + in_T * up_T) / power_T).astype(np.float32)

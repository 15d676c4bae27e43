"""Signal metrics: pure functions of recordings. Shapes: T samples at 16 kHz.

Values follow the packages and papers named; lengths that differ are an `Unmeasurable`, not a silent cut.
"""

from __future__ import annotations

import numpy as np

from speechx.audio.levels import frame_power
from speechx.eval.items import RATE
from speechx.eval.metrics.mel import cepstra, log_mel
from speechx.eval.scores import Unmeasurable

__all__ = [
    "background_difference",
    "log_spectral_distance",
    "mcd",
    "pesq_wb",
    "same_length",
    "seam_jump",
    "shared_ends",
    "si_sdr",
    "stoi",
]  # fmt: skip

MAX_MISMATCH = 0.1
"""Seconds by which two recordings of the same sound may differ in length: a codec's last frame."""


def same_length(a_T: np.ndarray, b_T: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both cut to the shorter. Raises Unmeasurable where they differ by more than MAX_MISMATCH."""
    if abs(len(a_T) - len(b_T)) > MAX_MISMATCH * RATE:
        raise Unmeasurable(
            f"length mismatch: {len(a_T) / RATE:.2f} s against {len(b_T) / RATE:.2f} s of the reference"
        )
    shorter = min(len(a_T), len(b_T))
    return a_T[:shorter], b_T[:shorter]


def _audible(wav_T: np.ndarray, name: str) -> None:
    if not len(wav_T) or float(np.abs(wav_T).max()) < 1e-4:
        raise Unmeasurable(f"{name} is silent")


def si_sdr(estimate_T: np.ndarray, target_T: np.ndarray) -> float:
    """Scale-invariant signal-to-distortion ratio in dB (Le Roux 2019), both with their mean removed."""
    estimate_T, target_T = same_length(estimate_T, target_T)
    _audible(target_T, "reference")
    _audible(estimate_T, "output")
    s = np.asarray(target_T, np.float64) - np.mean(target_T, dtype=np.float64)
    e = np.asarray(estimate_T, np.float64) - np.mean(estimate_T, dtype=np.float64)
    wanted = np.dot(e, s) / np.dot(s, s) * s
    noise = e - wanted
    return float(10 * np.log10((np.dot(wanted, wanted) + 1e-12) / (np.dot(noise, noise) + 1e-12)))


def pesq_wb(estimate_T: np.ndarray, target_T: np.ndarray) -> float:
    """PESQ, wide band (ITU-T P.862.2), 1.0-4.64, by package pesq."""
    from pesq import NoUtterancesError, pesq

    estimate_T, target_T = same_length(estimate_T, target_T)
    _audible(target_T, "reference")
    _audible(estimate_T, "output")
    try:
        return float(pesq(RATE, target_T, estimate_T, "wb"))
    except NoUtterancesError:
        raise Unmeasurable("PESQ finds no utterance") from None


def stoi(estimate_T: np.ndarray, target_T: np.ndarray) -> float:
    """Short-time objective intelligibility (Taal 2011), by package pystoi."""
    import warnings

    import pystoi

    estimate_T, target_T = same_length(estimate_T, target_T)
    _audible(target_T, "reference")
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            return float(pystoi.stoi(target_T, estimate_T, RATE, extended=False))
        except RuntimeWarning:
            raise Unmeasurable("STOI finds too little speech") from None


def mcd(estimate_T: np.ndarray, target_T: np.ndarray) -> float:
    """Mel-cepstral distance (Kubichek 1993) of frames at the same time, without time warping: 13 cepstra, not the level.

    In dB: the RMS difference of the two smoothed log power spectra, averaged over frames.
    """
    estimate_T, target_T = same_length(estimate_T, target_T)
    difference_SC = cepstra(estimate_T) - cepstra(target_T)
    return float(10 / np.log(10) * np.sqrt(2 * np.square(difference_SC).sum(1)).mean())


def log_spectral_distance(estimate_T: np.ndarray, target_T: np.ndarray, floor_db: float = -80.0) -> float:
    """RMS difference of log-mel spectra in dB over bands, then the mean of frames. Level counts; what is below the floor
    does not."""
    estimate_T, target_T = same_length(estimate_T, target_T)
    a_SM, b_SM = (np.maximum(log_mel(x), floor_db) for x in (estimate_T, target_T))
    return float(np.sqrt(np.square(a_SM - b_SM).mean(1)).mean())


def level_difference(estimate_T: np.ndarray, target_T: np.ndarray, audible_db: float = -60.0) -> float:
    """Mean difference of level in dB, without sign, of the half seconds in which the target is audible. Silence counts as
    -90 dBFS: whoever gives nothing is as far off as the target is above that."""
    estimate_T, target_T = same_length(estimate_T, target_T)
    parts = range(0, max(1, len(target_T) - RATE // 4), RATE // 2)
    levels = np.array(
        [
            [np.mean(np.square(x[at : at + RATE // 2], dtype=np.float64)) for x in (estimate_T, target_T)]
            for at in parts
        ]
    )
    levels_P2 = 10 * np.log10(levels + 1e-9)
    heard_P2 = levels_P2[levels_P2[:, 1] > audible_db]
    if not len(heard_P2):
        raise Unmeasurable("the reference is silent")
    return float(np.abs(heard_P2[:, 0] - heard_P2[:, 1]).mean())


def shared_ends(output_T: np.ndarray, input_T: np.ndarray, tolerance: float = 1e-4) -> tuple[int, int]:
    """Samples at the start and at the end that the output shares with the input (never counting one twice)."""
    length = min(len(output_T), len(input_T))
    if not length:
        return 0, 0
    differs = np.abs(output_T[:length] - input_T[:length]) > tolerance
    head = int(differs.argmax()) if differs.any() else length
    differs = np.abs(output_T[-length:][::-1] - input_T[-length:][::-1]) > tolerance
    tail = int(differs.argmax()) if differs.any() else length
    return head, min(tail, length - head)


def seam_jump(output_T: np.ndarray, head: int, tail: int) -> float:
    """The greatest change of spectrum from one 10 ms frame to the next within 30 ms of the seams, relative to the 95th
    percentile of the rest of the recording: about 1 where nothing stands out, larger for clicks and jumps."""
    mel_SM = np.maximum(log_mel(output_T), -80)
    flux_S = np.sqrt(np.square(np.diff(mel_SM, axis=0)).mean(1))
    seams = [at // 160 for at in (head, len(output_T) - tail) if 800 < at < len(output_T) - 800]
    if not seams or len(flux_S) < 30:
        raise Unmeasurable("no seam within the recording")
    near = np.zeros(len(flux_S), bool)
    for seam in seams:
        near[max(0, seam - 3) : seam + 3] = True
    usual = float(np.quantile(flux_S[~near], 0.95))
    return float(flux_S[near].max() / max(usual, 1e-3))


def background_difference(output_T: np.ndarray, target_T: np.ndarray) -> float:
    """Difference of the background levels in dB, without sign. A background level is the 10th percentile of 20 ms frames."""

    def level(wav_T: np.ndarray) -> float:
        if len(wav_T) // 320 < 5:
            raise Unmeasurable("too short to have a background level")
        return float(10 * np.log10(np.quantile(frame_power(wav_T, 320), 0.1) + 1e-9))

    return abs(level(output_T) - level(target_T))

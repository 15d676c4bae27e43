"""Making training examples of edits out of clean speech. Shapes: T samples at 16 kHz."""

from __future__ import annotations

import numpy as np

from speechx.data import mixing
from speechx.data.types import Pool, Utterance
from tasks._edits import FRAME_RATE


def random_span(cut: Utterance, rng: np.random.Generator) -> tuple[float, float]:
    """10-50 % of the utterance in seconds, on the codec's frames; between words where their times are known."""
    length = cut.seconds * float(rng.uniform(0.1, 0.5))
    start = float(rng.uniform(0, cut.seconds - length))
    stop = start + length
    if cut.words:
        inside = [w for w in cut.words if start <= (w.start + w.end) / 2 < stop]
        if not inside:
            inside = [min(cut.words, key=lambda w: abs(w.start - start))]
        start, stop = inside[0].start, inside[-1].end
    first = int(start * FRAME_RATE)
    last = max(first + 2, round(stop * FRAME_RATE))
    return first / FRAME_RATE, min(last, int(cut.seconds * FRAME_RATE)) / FRAME_RATE


def other_words(
    cut: Utterance, other: Utterance, span: tuple[float, float], pool: Pool, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, tuple[float, float], float]:
    """(the true words over noise, other words over the same noise in their place, the span of those, SNR in dB).

    The other words take 0.7 to 1.4 times as long: an edit changes the length too.
    """
    a, b = round(span[0] * 16000), round(span[1] * 16000)
    samples = max(640, round((b - a) * float(rng.uniform(0.7, 1.4)) / 640) * 640)
    mid_T = mixing.fit_length(mixing.random_crop(other.wav_T, samples, rng), samples)
    level = min(10.0, mixing.active_rms(cut.wav_T) / max(mixing.active_rms(mid_T), mixing.QUIETEST_RMS))
    said_T = np.concatenate([cut.wav_T[:a], mid_T * level, cut.wav_T[b:]]).astype(np.float32)
    snr_db = float(rng.uniform(-5, 20))
    noise_T = pool.noise(rng, cut.seconds + samples / 16000)
    _, noise_T = mixing.add_at_ratio(np.resize(cut.wav_T, len(noise_T)), noise_T, snr_db)
    # Before and after the gap the noise is the same; in it, another stretch of the same noise.
    under_T = np.concatenate([noise_T[:a], noise_T[len(cut.wav_T) :][:samples], noise_T[b : len(cut.wav_T)]])
    return (
        cut.wav_T + noise_T[: len(cut.wav_T)],
        said_T + under_T,
        (span[0], span[0] + samples / 16000),
        snr_db,
    )

"""Making training examples of edits out of clean speech. Shapes: T samples at the pool's rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from speechx.audio import levels, mixing
from speechx.task.examples import Utterance, UtterancePool
from speechx.tasks._editing.locate import AlignedTranscript

FADE_SECONDS = 0.015
"""Of the cross-fades at the borders of swapped words."""

GRID_SECONDS = 0.04
"""Words in the place of others are a multiple of this long."""


def random_span(cut: Utterance, frame_rate: float, rng: np.random.Generator) -> tuple[float, float]:
    """10-50 % of the utterance in seconds, on the codec's frames; between words where their times are known."""
    start, stop = _part(cut.seconds, rng)
    if cut.words:
        inside = [w for w in cut.words if start <= (w.start + w.end) / 2 < stop]
        if not inside:
            inside = [min(cut.words, key=lambda w: abs(w.start - start))]
        start, stop = inside[0].start, inside[-1].end
    first = int(start * frame_rate)
    last = max(first + 2, round(stop * frame_rate))
    return first / frame_rate, min(last, int(cut.seconds * frame_rate)) / frame_rate


def random_words(transcript: AlignedTranscript, frames: int, rng: np.random.Generator) -> tuple[int, int]:
    """Neighboring words [first, last) that fill 10-50 % of a recording."""
    start, stop = _part(frames, rng)
    middle_W = transcript.frames_W2.mean(1)
    inside = np.flatnonzero((middle_W >= start) & (middle_W < stop))
    if not len(inside):
        inside = np.array([np.abs(middle_W - start).argmin()])
    return int(inside[0]), int(inside[-1]) + 1


def _part(length: float, rng: np.random.Generator) -> tuple[float, float]:
    part = length * float(rng.uniform(0.1, 0.5))
    start = float(rng.uniform(0, length - part))
    return start, start + part


@dataclass(frozen=True)
class EditedRecording:
    """A recording before an edit and after it. whole_T: the true words. said_T: others in their place, in `span` (s)."""

    original_T: np.ndarray
    edited_T: np.ndarray
    span: tuple[float, float]
    snr_db: float | None


def other_words(
    cut: Utterance,
    other: Utterance,
    span: tuple[float, float],
    noisy: bool,
    pool: UtterancePool,
    rng: np.random.Generator,
) -> EditedRecording:
    """Puts other words of the speaker in the place of a span, over noise or not.

    They take 0.7 to 1.4 times as long, for an edit changes the length too. The noise is the same before and after the
    gap, and another stretch of the same noise in it.
    """
    rate = cut.sample_rate
    a, b, grid, fade = (round(s * rate) for s in (*span, GRID_SECONDS, FADE_SECONDS))
    samples = max(grid, round((b - a) * float(rng.uniform(0.7, 1.4)) / grid) * grid)
    mid_T = mixing.fit_length(mixing.random_crop(other.wav_T, samples, rng), samples)
    quiet = max(levels.active_rms(mid_T, rate), levels.QUIETEST_RMS)
    level = min(10.0, levels.active_rms(cut.wav_T, rate) / quiet)
    mid_T, original_T, snr_db = mid_T * level, cut.wav_T, None
    if noisy:
        snr_db = float(rng.uniform(-5, 20))
        noise_T = pool.noise(rng, cut.seconds + samples / rate)
        noise_T = mixing.scaled_to_ratio(np.resize(cut.wav_T, len(noise_T)), noise_T, snr_db)
        original_T = original_T + noise_T[: len(original_T)]
        mid_T = mid_T + noise_T[len(original_T) :][:samples]
    # In a real recording nothing clicks at the borders of the span.
    mid_T = mid_T.copy()
    mid_T[:fade] = mixing.crossfade(original_T[a : a + fade], mid_T[:fade])
    mid_T[-fade:] = mixing.crossfade(mid_T[-fade:], original_T[b - fade : b])
    edited_T = np.concatenate([original_T[:a], mid_T, original_T[b:]]).astype(np.float32)
    return EditedRecording(
        original_T.astype(np.float32), edited_T, (span[0], span[0] + samples / rate), snr_db
    )

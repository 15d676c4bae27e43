"""Choosing enrollments for training examples. Shapes: T samples at the pool's rate, F codec frames, K codebooks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from speechx.audio import levels, mixing
from speechx.task.examples import CodedUtterance, CodePool, Utterance, UtterancePool
from speechx.tasks._shared import phone_spans

ENR = 8
"""Marker before an enrollment."""

SHORTEST, LONGEST = 2.0, 6.0
"""Seconds of an enrollment in training, uniform between the two."""

LEAST = 1.0
"""Seconds of an enrollment, and of what is said after it, at least."""


def enroll(
    cut: Utterance, pool: UtterancePool, rng: np.random.Generator
) -> tuple[np.ndarray, Utterance] | None:
    """(enrollment, the utterance to use with it): 2-6 s of another utterance of the speaker, and all of this one.

    Where there is no other, the utterance is split: its beginning enrolls, the rest is used. Never do the two overlap: a
    prompt that holds the answer teaches copying. None where there is too little speech.
    """
    other = pool.same_speaker(cut, rng)
    if other is not None and other.id != cut.id:
        voice_T = crop(other, rng)
        return None if voice_T is None else (voice_T, cut)
    return split(cut, rng)


def split(cut: Utterance, rng: np.random.Generator) -> tuple[np.ndarray, Utterance] | None:
    """(the first 2-6 s, what follows): parted between two words where their times are known, else the text is dropped."""
    latest = min(LONGEST, cut.seconds - SHORTEST)
    if latest < SHORTEST:
        return None
    at, text, words = float(rng.uniform(SHORTEST, latest)), None, None
    if cut.words:
        later = [w for w in cut.words if w.start >= at]
        if not later or cut.text is None:
            return None
        before = [w.end for w in cut.words if w.start < at]
        at = (before[-1] + later[0].start) / 2 if before else later[0].start
        text, words = " ".join(w.text for w in later), tuple(w.shifted(-at) for w in later)
    head_T, rest_T = np.split(cut.wav_T, [round(at * cut.sample_rate)])
    rest = replace(cut, id=f"{cut.id}-rest", wav_T=rest_T, text=text, words=words)
    head_T = np.asarray(head_T * levels.standard_gain(head_T, cut.sample_rate), np.float32)
    enough = len(head_T) >= LEAST * cut.sample_rate and rest.seconds >= LEAST
    return (head_T, rest) if enough else None


def crop(cut: Utterance, rng: np.random.Generator) -> np.ndarray | None:
    """2-6 s of the utterance at the standard level, or None where it is shorter than 1 s."""
    wav_T = mixing.random_crop(cut.wav_T, int(rng.uniform(SHORTEST, LONGEST) * cut.sample_rate), rng)
    if len(wav_T) < LEAST * cut.sample_rate:
        return None
    return np.asarray(wav_T * levels.standard_gain(wav_T, cut.sample_rate), np.float32)


def crop_codes(codes_FK: np.ndarray, frame_rate: float, rng: np.random.Generator) -> np.ndarray | None:
    """2-6 s of an utterance's codes, or None where it is shorter than 1 s."""
    codes_FK = mixing.random_crop(codes_FK, int(rng.uniform(SHORTEST, LONGEST) * frame_rate), rng)
    return codes_FK if len(codes_FK) >= LEAST * frame_rate else None


def enroll_codes(
    cut: CodedUtterance, pool: CodePool, rng: np.random.Generator
) -> tuple[np.ndarray, CodedUtterance] | None:
    """`enroll` for encoded utterances: (codes of the enrollment, the utterance to use with it)."""
    other = pool.same_speaker(cut, rng)
    if other is not None:
        voice_FK = crop_codes(other.codes_FK, pool.frame_rate, rng)
        return None if voice_FK is None else (voice_FK, cut)
    frames, shortest = len(cut.codes_FK), SHORTEST * pool.frame_rate
    latest = min(LONGEST * pool.frame_rate, frames - shortest)
    if latest < shortest:
        return None
    # The cut is where a word begins, so that the text can be parted, too.
    begins = [phone_spans.first_frame(cut.pointer_F, word.start) for word in cut.speech.words]
    earliest = rng.uniform(shortest, latest)
    at = next((f for f in begins if f >= earliest), frames)
    rest = phone_spans.starting_at(cut.speech, cut.pointer_F, at)
    if rest is None or frames - at < LEAST * pool.frame_rate:
        return None
    speech, pointer_F = rest
    later = replace(cut, id=f"{cut.id}-rest", codes_FK=cut.codes_FK[at:], speech=speech, pointer_F=pointer_F)
    return cut.codes_FK[:at], later

"""Choosing enrollments for training examples. Shapes: T samples at 16 kHz."""

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
    head_T, rest_T = np.split(cut.wav_T, [round(at * 16000)])
    rest = replace(cut, id=f"{cut.id}-rest", wav_T=rest_T, text=text, words=words)
    head_T = np.asarray(head_T * levels.standard_gain(head_T), np.float32)
    return (head_T, rest) if len(head_T) >= 16000 and rest.seconds >= 1 else None


def crop(cut: Utterance, rng: np.random.Generator) -> np.ndarray | None:
    """2-6 s of the utterance at the standard level, or None where it is shorter than 1 s."""
    wav_T = mixing.random_crop(cut.wav_T, int(rng.uniform(SHORTEST, LONGEST) * 16000), rng)
    if len(wav_T) < 16000:
        return None
    return np.asarray(wav_T * levels.standard_gain(wav_T), np.float32)


def crop_codes(codes_FK: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """2-6 s of an utterance's codes at 25 frames a second, or None where it is shorter than 1 s."""
    codes_FK = mixing.random_crop(codes_FK, int(rng.uniform(SHORTEST, LONGEST) * 25), rng)
    return codes_FK if len(codes_FK) >= 25 else None


def enroll_codes(
    cut: CodedUtterance, pool: CodePool, rng: np.random.Generator
) -> tuple[np.ndarray, CodedUtterance] | None:
    """`enroll` for encoded utterances: (codes of the enrollment, the utterance to use with it)."""
    other = pool.same_speaker(cut, rng)
    if other is not None:
        voice_FK = crop_codes(other.codes_FK, rng)
        return None if voice_FK is None else (voice_FK, cut)
    frames = len(cut.codes_FK)
    latest = min(LONGEST * 25, frames - SHORTEST * 25)
    if latest < SHORTEST * 25:
        return None
    # The cut is where a word begins, so that the text can be parted, too.
    begins = [phone_spans.first_frame(cut.pointer_F, word.start) for word in cut.speech.words]
    earliest = rng.uniform(SHORTEST * 25, latest)
    at = next((f for f in begins if f >= earliest), frames)
    rest = phone_spans.starting_at(cut.speech, cut.pointer_F, at)
    if rest is None or frames - at < 25:
        return None
    speech, pointer_F = rest
    later = replace(cut, id=f"{cut.id}-rest", codes_FK=cut.codes_FK[at:], speech=speech, pointer_F=pointer_F)
    return cut.codes_FK[:at], later

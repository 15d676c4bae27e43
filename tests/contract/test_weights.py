"""The weights in the package speak and edit, on the sample recordings. How well, and what of the other tasks, is for
`make eval` to say.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from speechx.api import SpeechX
from speechx.audio import reading
from speechx.cli.samples import sample_requests
from speechx.pipeline.result import Speech

FOLDER = Path(reading.__file__).parents[1] / "assets/samples"
REQUESTS = {sample.title: sample for sample in sample_requests()}


@pytest.fixture(scope="module")
def sx() -> SpeechX:
    return SpeechX.load()


@cache
def sound(name: str) -> np.ndarray:
    return reading.read(FOLDER / f"{name}.flac")


def perform(sx: SpeechX, title: str, **changes: object) -> Speech:
    sample = REQUESTS[title]
    speech = sx.run(sample.task, **{**sample.fields, **changes})
    assert np.isfinite(speech.wav_T).all() and np.abs(speech.wav_T).max() > 0.02, "silence or worse"
    return speech


@pytest.mark.parametrize("title", ["Text to speech in a cloned voice", "The same voice in Spanish"])
def test_it_says_the_text(sx: SpeechX, title: str) -> None:
    sample, frontend = REQUESTS[title], sx.pipeline.frontend
    language = sample.fields.get("language", "en")
    speech = perform(sx, title)
    assert 3 < speech.seconds < 12
    codes_FK = frontend.encode(speech.wav_T)
    true = frontend.phone_errors(codes_FK, frontend.phones(str(sample.output_text), language))
    other = frontend.phone_errors(
        codes_FK, frontend.phones("Twelve dusty bottles stood on a shelf; nobody had asked.", "en")
    )
    assert true < min(frontend.max_phone_errors, other - 0.1)


@pytest.mark.parametrize("title", ["Speech editing", "Speech editing, background kept"])
def test_an_edit_leaves_the_rest_alone(sx: SpeechX, title: str) -> None:
    before_T, after = sound("edit_noisy" if "kept" in title else "edit"), perform(sx, title)
    same = next((i for i, (a, b) in enumerate(zip(before_T, after.wav_T, strict=False)) if a != b), 0)
    assert same / 16000 > 0.5, "the words before the edit are the recording's own"
    assert np.array_equal(after.wav_T[-8000:], before_T[-8000:]), "and so are those after it"
    assert abs(after.seconds - len(before_T) / 16000) < 1.5


def test_the_same_seed_gives_the_same_sound(sx: SpeechX) -> None:
    one, two = (perform(sx, "Text to speech in a cloned voice", text="Good morning.") for _ in range(2))
    assert np.array_equal(one.wav_T, two.wav_T)

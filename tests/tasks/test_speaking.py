"""tts and cross-lingual tts: sentences, voices, words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from speechx.errors import InputError
from speechx.prompt import Text

SENTENCE = "The library closes early on Sundays so we had better leave. "


def test_one_sentence(pipeline: Any, speech: Any) -> None:
    result = pipeline.speak(
        pipeline.job("tts", text="Hello there, my friend.", voice=(speech(3), 16000), seed=5)
    )
    prompt, params = pipeline.runner.engine.added[0]
    assert params.seed == 5 == result.seed
    assert [w.text for w in result.words] == ["Hello", "there", "my", "friend"]
    assert result.words[-1].end <= result.seconds
    assert len(result.wav_T) == 640 * 2 * len(prompt.track.ids)
    assert params.max_frames > 2 * len(prompt.track.ids)


def test_two_thousand_words(pipeline: Any) -> None:
    text = SENTENCE * 182
    assert len(text.split()) > 2000
    engine, first = pipeline.runner.engine, None
    chunks = pipeline.stream(pipeline.job("tts", text=text, voice="heart", stream=True, timestamps=True))
    first = next(chunks)
    assert len(first.wav_T) and len(engine.added) <= 8  # it does not wait for the last sentence
    last = [*chunks][-1]
    assert len(last.words) == len(text.split())
    assert len({p.segments[1].cache_key for p, _ in engine.added}) == 1  # one voice
    assert len({s.seed for _, s in engine.added}) == len(
        engine.added
    )  # but not the same noise in every sentence
    starts = [w.start for w in last.words]
    assert starts == sorted(starts)


def test_streamed_and_whole_are_the_same(pipeline: Any) -> None:
    fields = {"text": SENTENCE * 2, "voice": "heart", "seed": 1}
    whole = pipeline.speak(pipeline.job("tts", **fields))
    chunks = list(pipeline.stream(pipeline.job("tts", **fields, stream=True)))
    assert np.abs(np.concatenate([c.wav_T for c in chunks]) - whole.wav_T).max() < 1e-5
    assert chunks[-1].words == whole.words
    assert len(chunks[0].wav_T) < 640 * 6  # the first sound comes early


def test_cross_lingual_has_both_texts(pipeline: Any) -> None:
    job = pipeline.job(
        "cross_lingual_tts",
        text="Hola a todos.",
        language="es",
        voice="heart",
        voice_text="Hello.",
        voice_language="en",
    )
    pipeline.speak(job)
    prompt = pipeline.runner.engine.added[0][0]
    assert prompt.slot == 1
    assert [s.language for s in prompt.segments if isinstance(s, Text)] == ["en", "es"]


@pytest.mark.parametrize(
    ("voice", "says"),
    [
        ("nobody", "neither a file nor a known voice"),
        ("nobody.wav", "does not exist"),
        ((np.ones(8000, np.float32) * 0.1, 16000), "0.50 s long"),
        ((np.zeros(32000, np.float32), 16000), "silent"),
        ((np.sign(np.sin(np.arange(48000) / 20)).astype(np.float32), 16000), "clipped"),
    ],
)
def test_bad_voices(pipeline: Any, voice: Any, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        pipeline.speak(pipeline.job("tts", text="Hello.", voice=voice))
    assert caught.value.field == "voice"


def test_best_of_takes_the_try_with_the_fewest_phone_errors(
    pipeline: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []

    def errors(codes_FK: np.ndarray, speech: Any) -> float:
        seen.append(float(codes_FK[0, 0]))
        return seen[-1]

    monkeypatch.setattr(pipeline.front, "phone_errors", errors)
    best = pipeline.speak(pipeline.job("tts", text="Hello.", voice="heart", seed=3, best_of=4))
    assert len(pipeline.runner.engine.added) == 4 and len(seen) == 4
    monkeypatch.undo()
    seeds = [s.seed for _, s in pipeline.runner.engine.added]
    alone = pipeline.speak(
        pipeline.job("tts", text="Hello.", voice="heart", seed=seeds[int(np.argmin(seen))])
    )
    assert np.array_equal(best.wav_T, alone.wav_T)

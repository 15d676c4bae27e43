"""tts and cross-lingual tts: sentences, voices, words."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from speechx.errors import InputError
from speechx.models.lm.prompt import Text
from speechx.pipeline.candidates import phrase_ends
from speechx.task.plan import GeneratedPart
from speechx.text import PHONES

SENTENCE = "The library closes early on Sundays so we had better leave. "


@pytest.mark.parametrize(
    ("task", "fields"),
    [
        ("tts", {"text": "Hello."}),
        ("cross_lingual_tts", {"text": "Hola.", "language": "es"}),
        ("target_speaker_extraction", {"audio": (np.tile([0.1, -0.1], 16000), 16000)}),
    ],
)
def test_a_voice_without_speech_is_warned_of(pipeline: Any, monkeypatch: Any, task: str, fields: Any) -> None:
    voice = "enrollment" if "audio" in fields else "voice"
    monkeypatch.setattr(pipeline.frontend, "voice_warning", lambda _, field="voice": f"no speech in {field}")
    result = pipeline.speak(pipeline.job(task, **fields, **{voice: "heart"}))
    assert f"no speech in {voice}" in result.info["warning"]


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


@pytest.mark.parametrize(
    ("task", "fields"),
    [("tts", {"text": "Hello {end}"}), ("cross_lingual_tts", {"text": "Hola{end}", "language": "es"})],
)
@pytest.mark.parametrize(("end", "said"), [("", "."), (",", ","), ("?", "?"), (".", "."), ("...", ".")])
def test_what_is_said_ends_with_a_pause(pipeline: Any, task: str, fields: Any, end: str, said: str) -> None:
    pipeline.speak(pipeline.job(task, voice="heart", **{**fields, "text": fields["text"].format(end=end)}))
    text = pipeline.runner.engine.added[0][0].segments[-1]
    assert [PHONES[i] for i in text.ids[-2:]] == [said, "_"]


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


@pytest.mark.parametrize("tries", [1, 3])
def test_streamed_and_whole_are_the_same(pipeline: Any, tries: int) -> None:
    fields = {"text": SENTENCE * 2, "voice": "heart", "seed": 1, "best_of": tries}
    whole = pipeline.speak(pipeline.job("tts", **fields))
    chunks = list(pipeline.stream(pipeline.job("tts", **fields, stream=True)))
    assert np.abs(np.concatenate([c.wav_T for c in chunks]) - whole.wav_T).max() < 1e-5
    assert chunks[-1].words == whole.words
    assert len(chunks[0].wav_T) < 640 * (6 if tries == 1 else 20)  # the first sound comes early


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


@pytest.mark.usefixtures("aligned")
def test_the_transcript_of_a_long_voice_is_cut_as_the_voice_is(pipeline: Any, speech: Any) -> None:
    """The prompt has the first 6 s of a voice: more text than sound would be spoken with the request's text."""
    words = "one two three four five six seven eight nine ten".split()
    fields = {
        "text": "Hola a todos.",
        "language": "es",
        "voice_language": "en",
        "voice_text": " ".join(words),
    }
    for seconds, kept in ((5, 10), (10, 6)):
        pipeline.speak(pipeline.job("cross_lingual_tts", voice=(speech(seconds), 16000), **fields))
        prompt = pipeline.runner.engine.added[-1][0]
        told = next(s for s in prompt.segments if isinstance(s, Text) and s.language == "en")
        expected = pipeline.frontend.phones(" ".join(words[:kept]), "en")
        assert told.ids.tolist() == expected.ids.tolist()


def test_a_bad_transcript_of_a_voice_is_named(pipeline: Any) -> None:
    job = pipeline.job("cross_lingual_tts", text="Hola.", language="es", voice="heart", voice_text="你好")
    with pytest.raises(InputError, match=r"^voice_text: has nothing that can be said") as caught:
        pipeline.speak(job)
    assert caught.value.field == "voice_text"


@pytest.mark.parametrize(
    ("task", "fields"),
    [
        ("tts", {"text": "Hello 你好.", "voice": "heart"}),
        ("noise_suppression", {"text": "Hello 你好.", "audio": (np.tile([0.1, -0.1], 16000), 16000)}),
    ],
)
@pytest.mark.usefixtures("aligned")
def test_letters_of_another_script_are_warned_of(pipeline: Any, task: str, fields: Any) -> None:
    result = pipeline.speak(pipeline.job(task, **fields))
    assert "cannot be said in language 'en' and are left out: '你好'" in result.info["warning"]


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


@pytest.mark.parametrize("stream", [False, True])
def test_each_phrase_is_that_of_the_try_that_says_it_best(
    pipeline: Any, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    heard: list[list[int]] = []

    def fit(codes_FK: np.ndarray, ids_N: np.ndarray, language: str, start: int = 0) -> float:
        heard.append([len(codes_FK), start, len(ids_N)])
        return float(codes_FK[-1, 0])

    monkeypatch.setattr(pipeline.frontend, "fit", fit)
    job = pipeline.job("tts", text=SENTENCE, voice="heart", seed=3, best_of=3, stream=stream)
    chunks = list(pipeline.stream(job))
    engine, frontend = pipeline.runner.engine, pipeline.frontend
    assert len(engine.added) == 3 and len({s.seed for _, s in engine.added}) == 3
    phones = frontend.phones(SENTENCE, "en")
    # The engine of the tests makes two frames of each phone, and each candidate's are known by its seed.
    tries = [
        np.random.default_rng(s.seed).integers(0, 1024, (2 * len(phones.ids), 8)).astype(np.int16)
        for _, s in engine.added
    ]
    ends = [2 * stop for stop in phrase_ends(GeneratedPart(engine.added[0][0], phones.words))]
    assert len(ends) > 3 and [h[0] for h in heard[::3]] == [*ends, 2 * len(phones.ids)]
    assert [h[1] for h in heard[::3]] == [0, 0, *ends[:-1]]  # with the phrase before
    assert all(count == 2 * ids + start for count, start, ids in heard)
    parts = []
    for start, stop in itertools.pairwise([0, *ends, 2 * len(phones.ids)]):
        best = max(tries, key=lambda codes_FK: codes_FK[stop - 1, 0])
        parts.append(best[start:stop])
    assert len(engine.forks) == 2 * len(ends)
    wav_T = np.concatenate([c.wav_T for c in chunks])
    assert np.abs(wav_T - frontend.decode(np.concatenate(parts))).max() < 1e-4
    if stream:  # what has been chosen is heard before the rest is made
        assert len(chunks[0].wav_T) <= 640 * ends[0]


def test_more_candidates_than_the_engine_decodes_at_once(pipeline: Any) -> None:
    job = pipeline.job("tts", text="Hello.", voice="heart", best_of=pipeline.runner.slots + 1)
    with pytest.raises(InputError, match="best_of is 9, and the engine decodes 8 at once") as caught:
        pipeline.speak(job)
    assert caught.value.field == "best_of"


@pytest.mark.parametrize("text", ["Hello there. 你好。", "Hello. Привет. Goodbye.", "¿Qué? Γειά σου."])
def test_a_sentence_that_cannot_be_said_is_refused_before_any_audio(pipeline: Any, text: str) -> None:
    with pytest.raises(InputError, match=r"text: '.*' has nothing that can be said in language 'en'"):
        next(pipeline.stream(pipeline.job("tts", text=text, voice="heart", stream=True)))
    assert not pipeline.runner.engine.added

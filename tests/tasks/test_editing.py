"""Speech editing: what is untouched stays, to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from speechx.errors import InputError
from speechx.models.lm.prompt import Frames, Token
from speechx.tasks.speech_editing import MASK

OLD = "we like our green tea in the early morning before breakfast"
WORDS = OLD.split()


def edit(pipeline: Any, wav_T: np.ndarray, rate: int, text: str, **fields: Any) -> Any:
    fields = {"transcript": OLD} | fields
    return pipeline.speak(pipeline.job("speech_editing", audio=(wav_T, rate), text=text, seed=1, **fields))


def same_at_ends(a_T: np.ndarray, b_T: np.ndarray) -> tuple[int, int]:
    """Samples that are bit-identical from the start and from the end."""
    size = min(len(a_T), len(b_T))
    head = np.flatnonzero(a_T[:size] != b_T[:size])
    tail = np.flatnonzero(a_T[::-1][:size] != b_T[::-1][:size])
    return (int(head[0]) if len(head) else size), (int(tail[0]) if len(tail) else size)


@pytest.mark.usefixtures("aligned")
@pytest.mark.parametrize("rate", [16000, 44100, 8000])
def test_outside_the_cross_fade_nothing_changes(pipeline: Any, speech: Any, rate: int) -> None:
    wav_T = speech(11, rate=rate)
    result = edit(pipeline, wav_T, rate, OLD.replace("green tea", "black coffee"))
    assert result.sample_rate == rate
    head, tail = same_at_ends(wav_T, result.wav_T)
    # "green tea" is heard from 3.0 to 4.8 s; two frames of silence and a cross-fade around it may change.
    assert 2.88 <= head / rate <= 3.0
    assert 11 - 4.96 <= tail / rate <= 11 - 4.8
    assert [w.text for w in result.words] == OLD.replace("green tea", "black coffee").split()
    starts = [w.start for w in result.words]
    assert starts == sorted(starts) and result.words[-1].end <= result.seconds


@pytest.mark.usefixtures("aligned")
def test_two_changes_leave_what_is_between(pipeline: Any, speech: Any) -> None:
    wav_T = speech(11)
    result = edit(pipeline, wav_T, 16000, OLD.replace("green", "black").replace("early", "late"))
    assert len(pipeline.runner.engine.added) == 2 * 3  # three tries at each
    between_T = wav_T[round(4.1 * 16000) : round(6.8 * 16000)]
    found = [
        np.array_equal(result.wav_T[i : i + len(between_T)], between_T)
        for i in range(0, len(result.wav_T), 1)
    ]
    assert any(found)


@pytest.mark.usefixtures("aligned")
def test_words_can_be_taken_out(pipeline: Any, speech: Any) -> None:
    wav_T = speech(11)
    result = edit(pipeline, wav_T, 16000, OLD.replace("in the early morning ", ""))
    assert not pipeline.runner.engine.added  # nothing new is said
    assert 6.5 < result.seconds < 7.5
    head, tail = same_at_ends(wav_T, result.wav_T)
    assert head + tail > len(result.wav_T) - 400


@pytest.mark.usefixtures("aligned")
@pytest.mark.parametrize("text", [f"yes {OLD}", f"{OLD} today", OLD.replace("tea", "tea with milk")])
def test_words_can_be_put_in(pipeline: Any, speech: Any, text: str) -> None:
    wav_T = speech(11)
    result = edit(pipeline, wav_T, 16000, text)
    assert [w.text for w in result.words] == text.split()
    head, tail = same_at_ends(wav_T, result.wav_T)
    assert head + tail >= len(wav_T) - 2 * 240 - 640
    prompt = pipeline.runner.engine.added[0][0]
    assert prompt.track.stop - prompt.track.start < 12


@pytest.mark.usefixtures("aligned")
def test_words_put_in_at_the_ends_stand_beside_their_neighbour(pipeline: Any, speech: Any) -> None:
    """Not before or after all the silence at the end of the recording: the last word is heard until 10.8 of 11 s."""
    wav_T = speech(11)
    last = edit(pipeline, wav_T, 16000, f"{OLD} today")
    assert same_at_ends(wav_T, last.wav_T)[1] / 16000 == pytest.approx(11 - 10.88, abs=0.03)
    assert [w.text for w in last.words] == [*WORDS, "today"]
    first = edit(pipeline, wav_T, 16000, f"today {OLD}")
    assert [w.text for w in first.words] == ["today", *WORDS]


@pytest.mark.usefixtures("aligned")
def test_the_background_goes_on_under_new_words(
    pipeline: Any, speech: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where generated sound is weaker than the recording's steady noise, it is filled up: no hole is heard."""
    noise_T = 0.02 * np.random.default_rng(2).standard_normal(11 * 16000).astype(np.float32)
    wav_T = speech(11) + noise_T
    silence = lambda codes_FK: np.zeros(len(codes_FK) * 640, np.float32)  # noqa: E731  the worst hole
    monkeypatch.setattr(pipeline.frontend, "decode", silence)

    def level_db(keep_background: bool) -> float:
        """Of the generated part, above 6 kHz."""
        new = OLD.replace("green tea", "black coffee")
        made_T = edit(pipeline, wav_T, 16000, new, keep_background=keep_background).wav_T
        return above_6_khz_db(made_T[round(3.1 * 16000) : round(3.3 * 16000)])

    assert level_db(keep_background=True) == pytest.approx(above_6_khz_db(noise_T), abs=2)
    assert level_db(keep_background=False) < above_6_khz_db(noise_T) - 20


def above_6_khz_db(wav_T: np.ndarray) -> float:
    spectrum_F = np.fft.rfft(wav_T)
    return float(
        10 * np.log10(np.square(np.abs(spectrum_F[len(spectrum_F) * 3 // 4 :])).mean() / len(wav_T) + 1e-12)
    )


@pytest.mark.usefixtures("aligned")
def test_prompts(pipeline: Any, speech: Any) -> None:
    wav_T, text = speech(11), OLD.replace("green", "black")
    edit(pipeline, wav_T, 16000, text)
    edit(pipeline, wav_T, 16000, text, keep_background=True)
    edit(pipeline, wav_T, 16000, text, transcript=None, span=(3.0, 3.9))
    clean, background, by_span = (p for p, _ in pipeline.runner.engine.added[::3])
    assert (clean.slot, background.slot) == (5, 6)
    assert Token(MASK) in clean.segments and Token(MASK) not in background.segments
    assert sum(isinstance(s, Frames) for s in clean.segments) == 2
    assert sum(isinstance(s, Frames) for s in background.segments) == 3
    assert np.array_equal(clean.previous_K, clean.segments[0].codes_FK[-1])
    assert np.array_equal(clean.track.ids, by_span.track.ids) and clean.track.start == by_span.track.start


@pytest.mark.usefixtures("aligned")
def test_only_the_neighborhood_of_a_long_recording_is_shown(pipeline: Any, speech: Any) -> None:
    text = " ".join([OLD] * 6)
    result = edit(pipeline, speech(66), 16000, text.replace("green", "black", 1), transcript=text)
    prompt = pipeline.runner.engine.added[0][0]
    assert sum(len(s.codes_FK) for s in prompt.segments if isinstance(s, Frames)) < 320
    assert len(result.words) == len(text.split())


@pytest.mark.usefixtures("aligned")
def test_streaming_starts_with_the_untouched_beginning(pipeline: Any, speech: Any) -> None:
    wav_T = speech(11)
    fields = {"audio": (wav_T, 16000), "transcript": OLD, "text": OLD.replace("green", "black"), "seed": 1}
    chunks = list(pipeline.stream(pipeline.job("speech_editing", **fields, stream=True)))
    assert np.array_equal(chunks[0].wav_T, wav_T[: len(chunks[0].wav_T)]) and len(chunks[0].wav_T) > 16000
    whole = pipeline.speak(pipeline.job("speech_editing", **fields))
    assert np.array_equal(np.concatenate([c.wav_T for c in chunks]), whole.wav_T)


@pytest.mark.usefixtures("aligned")
@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"text": OLD}, "text", "changes nothing"),
        ({"text": OLD.replace("green", "black"), "span": (9.0, 10.0)}, "span", "holds none of the words"),
        (
            {"text": "yes", "transcript": None, "span": (9.0, 12.0)},
            "span",
            "outside the audio, which is 11.00 s long",
        ),
    ],
)
def test_refuses(pipeline: Any, speech: Any, fields: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        edit(pipeline, speech(11), 16000, **fields)
    assert caught.value.field == field


def test_a_transcript_of_something_else(pipeline: Any, speech: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline.frontend, "max_phone_errors", 0.5)
    with pytest.raises(InputError, match="does not match the audio") as caught:
        edit(pipeline, speech(11), 16000, OLD.replace("green", "black"))
    assert caught.value.field == "transcript"


def test_more_words_than_the_sound_can_hold(pipeline: Any, speech: Any) -> None:
    with pytest.raises(InputError, match="don't belong together"):
        edit(pipeline, speech(1), 16000, f"{OLD} now", transcript=" ".join([OLD] * 3))


@pytest.mark.usefixtures("aligned")
@pytest.mark.parametrize("seed", range(25))
def test_any_change_gives_the_new_words_in_order(pipeline: Any, speech: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    more = "seven cats jump over lazy dogs".split()
    old = [str(w) for w in rng.choice(WORDS + more, int(rng.integers(1, 14)))]
    new = list(old)
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(0, len(new) + 1))
        new[at : at + int(rng.integers(0, 2))] = [str(w) for w in rng.choice(more, int(rng.integers(0, 3)))]
    if not new or new == old:
        new = [*old, "indeed"]
    fields = {"transcript": " ".join(old), "keep_background": bool(seed % 2), "stream": bool(seed % 3)}
    result = edit(pipeline, speech(0.9 * len(old) + 0.5), 16000, " ".join(new), **fields)
    assert [w.text for w in result.words] == new
    assert all(w.start < w.end <= result.seconds + 1e-6 for w in result.words)

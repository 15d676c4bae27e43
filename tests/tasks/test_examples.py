"""Training examples: made of clean speech, prompted as at inference."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from speechx.audio import levels
from speechx.models.lm.batch import legal_pointer
from speechx.models.lm.prompt import Frames, Text, Token
from speechx.task import registry
from speechx.tasks.speech_editing import MASK
from speechx.text.types import WordTime


def examples(name: str, pool: Any, count: int = 12, **changes: Any) -> list[Any]:
    task: Any = registry.task(name)
    cut = replace(pool.cut(1), **changes)
    return [task.example(cut, pool, np.random.default_rng(seed)) for seed in range(count)]


@pytest.mark.usefixtures("aligned")
@pytest.mark.parametrize("name", registry.task_names())
def test_every_task_makes_pairs(name: str, pool: Any, frontend: Any) -> None:
    task: Any = registry.task(name)
    for example in examples(name, pool, 3):
        assert example is not None
        assert np.abs(example.target_T).max() <= 4 and example.target_T.dtype == np.float32
        pair = task.pair(example, frontend)
        assert len(pair.target_FK) == -(-len(example.target_T) // 640)
        track = pair.prompt.track
        assert (track is None) == (pair.pointer_F is None)
        if track is not None:
            assert len(pair.pointer_F) == len(pair.target_FK)
            pointer_F, _ = legal_pointer(pair.pointer_F, track, 3)
            assert np.abs(pointer_F - pair.pointer_F).mean() < 4  # a path that decoding can take is near
        if pair.prompt.frames is not None:
            assert pair.prompt.frames == len(pair.target_FK)


@pytest.mark.parametrize("name", registry.task_names())
def test_the_same_generator_gives_the_same_example(name: str, pool: Any) -> None:
    one, two = (registry.task(name).example(pool.cut(1), pool, np.random.default_rng(7)) for _ in range(2))  # type: ignore[attr-defined]
    assert np.array_equal(one.target_T, two.target_T) and one.meta == two.meta


@pytest.mark.parametrize("name", ["noise_suppression", "speech_removal", "target_speaker_extraction"])
def test_mixtures(name: str, pool: Any) -> None:
    made = examples(name, pool, 40)
    told = [e.request.text is not None for e in made]
    assert 10 < sum(told) < 30  # in about half of them
    assert 10 < sum(e.meta["reverberant"] for e in made) < 30
    ratios = [e.meta.get("snr_db", e.meta.get("sir_db")) for e in made]
    assert min(ratios) < 0 and max(ratios) > 15 and all(-5 <= r <= 20 for r in ratios)
    for example in made:
        wav_T, rate = example.request.audio
        assert rate == 16000 and len(wav_T) == len(example.target_T)
        assert levels.standard_gain(wav_T) == pytest.approx(1, abs=1e-3)  # inference would change nothing


def test_the_ratio_is_what_it_says(pool: Any) -> None:
    for example in examples("speech_removal", pool):
        parts = example.references
        measured = levels.db(levels.active_rms(parts["speech"]) / levels.active_rms(parts["noise"]))
        assert measured == pytest.approx(example.meta["snr_db"], abs=0.1)
        assert np.allclose(parts["speech"] + parts["noise"], example.request.audio[0], atol=1e-5)


def test_an_only_utterance_is_split(pool: Any, frontend: Any) -> None:
    lonely = pool.cut(9, "c", seconds=8.0)
    task: Any = registry.task("target_speaker_extraction")
    example = task.example(lonely, pool, np.random.default_rng(0))
    voice_T, (mix_T, _) = example.references["voice"], example.request.audio
    assert len(voice_T) + len(mix_T) == len(lonely.wav_T)
    assert example.text is None and example.request.text is None  # what the rest says is not known

    words = tuple(WordTime(w, 0.6 * i, 0.6 * i + 0.5) for i, w in enumerate(lonely.text.split()))
    example = registry.task("tts").example(replace(lonely, words=words), pool, np.random.default_rng(0))  # type: ignore[attr-defined]
    assert lonely.text.endswith(example.text.rstrip(".")) or example.text in lonely.text
    assert registry.task("tts").example(lonely, pool, np.random.default_rng(0)) is None  # type: ignore[attr-defined]


def test_edits_are_10_to_50_percent(pool: Any, frontend: Any) -> None:
    words = tuple(WordTime(w, 0.38 * i, 0.38 * i + 0.3) for i, w in enumerate(pool.cut(1).text.split()))
    for known in (None, words):
        for example in examples("speech_editing", pool, 20, words=known):
            share = (example.meta["span"][1] - example.meta["span"][0]) / 5
            assert 0.05 <= share <= 0.56
            assert len(example.target_T) == pytest.approx(share * 5 * 16000, abs=2)


@pytest.mark.usefixtures("aligned")
def test_the_kept_background_is_around_and_under_other_words(pool: Any, frontend: Any) -> None:
    task: Any = registry.task("speech_editing")
    kept = [e for e in examples("speech_editing", pool, 12) if e.request.keep_background]
    assert kept
    for example in kept:
        (wav_T, _), original_T = example.request.audio, example.references["whole"]
        start, stop = round(example.meta["span"][0] * 16000), round(example.meta["span"][1] * 16000)
        after = len(original_T) - stop
        assert np.allclose(wav_T[:start], original_T[:start]) and np.allclose(
            wav_T[len(wav_T) - after :], original_T[stop:]
        )
        assert not np.allclose(wav_T[start : start + 640], original_T[start : start + 640])
        prompt = task.pair(example, frontend).prompt
        assert prompt.slot == 6 and Token(MASK) not in prompt.segments


def test_training_and_use_have_the_same_prompt(pool: Any, frontend: Any) -> None:
    for name in ("tts", "noise_suppression", "target_speaker_extraction"):
        task: Any = registry.task(name)
        for example in examples(name, pool, 4):
            used = next(iter(task.plan(example.request, frontend).parts)).prompt
            trained = task.pair(example, frontend).prompt
            for one, two in zip(used.segments, trained.segments, strict=True):
                assert type(one) is type(two)
                if isinstance(one, Frames):
                    assert np.array_equal(one.codes_FK, two.codes_FK) and one.aligned == two.aligned
                elif isinstance(one, Text):
                    assert np.array_equal(one.ids, two.ids)

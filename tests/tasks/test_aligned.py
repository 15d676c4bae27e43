"""Suppression, removal, extraction: windows, levels, long input."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from speechx.audio import levels
from speechx.errors import InputError
from speechx.pipeline.masking import RatioMask
from speechx.task import registry
from speechx.tasks._shared.windows import windows


@pytest.mark.parametrize("frames", [1, 80, 250, 251, 300, 401, 5000])
def test_kept_frames_tile_the_recording(frames: int) -> None:
    spans = windows(frames, 25)
    kept = [(start + a, start + b) for start, _, (a, b) in spans]
    assert kept[0][0] == 0 and kept[-1][1] == frames
    assert all(one[1] == two[0] for one, two in itertools.pairwise(kept))
    assert all(0 <= a < b <= stop - start for start, stop, (a, b) in spans)
    assert len(spans) == 1 or all(stop - start == 200 for start, stop, _ in spans)


@pytest.mark.parametrize("stream", [False, True])
def test_a_long_recording_has_no_seams(pipeline: Any, speech: Any, stream: bool) -> None:
    """With an engine that gives the prompt back, the recording is masked by the codec's round trip, sample by sample."""
    wav_T = speech(40.3) * 0.2
    gain = levels.standard_gain(wav_T)
    frontend = pipeline.frontend
    mask = RatioMask(wav_T, 16000)
    expected_T = np.concatenate(
        [mask.push(frontend.decode(frontend._encode(wav_T * gain)) / gain), mask.close()]
    )
    expected_T = expected_T[: len(wav_T)]
    job = pipeline.job("noise_suppression", audio=(wav_T, 16000), stream=stream, strength=1)
    chunks = list(pipeline.stream(job))
    made_T = np.concatenate([c.wav_T for c in chunks])
    assert len(made_T) == len(wav_T)
    assert np.abs(made_T - expected_T).max() < 1e-5
    assert [c.final for c in chunks] == [False] * (len(chunks) - 1) + [True]
    assert len(chunks) > (20 if stream else 1)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("task", "best_of", "seconds"),
    [("noise_suppression", 1, 12.31), ("noise_suppression", 2, 2.51), ("speech_removal", 1, 2.51)],
    ids=["two windows", "two candidates", "without a mask"],
)
def test_strength_leaves_some_of_the_recording_in(
    pipeline: Any, speech: Any, task: str, best_of: int, seconds: float, stream: bool
) -> None:
    """The recordings end within a frame. A model without a refiner plays the background that it generates."""
    wav_T = speech(seconds) * 0.2

    def made(**fields: Any) -> np.ndarray:
        job = pipeline.job(task, audio=(wav_T, 16000), seed=1, best_of=best_of, stream=stream, **fields)
        return np.concatenate([chunk.wav_T for chunk in pipeline.stream(job)])

    whole_T, default = made(strength=1), registry.task(task).Request.model_fields["strength"].default
    assert np.abs(whole_T - wav_T).max() > 1e-3
    assert np.abs(made() - (default * whole_T + (1 - default) * wav_T)).max() < 1e-6
    assert np.abs(made(strength=0.75) - (0.75 * whole_T + 0.25 * wav_T)).max() < 1e-6
    assert np.abs(made(strength=0) - wav_T).max() < 1e-6


def test_ten_minutes(pipeline: Any, speech: Any) -> None:
    wav_T = np.tile(speech(10), 60)
    result = pipeline.speak(pipeline.job("speech_removal", audio=(wav_T, 16000)))
    assert len(result.wav_T) == len(wav_T)
    engine = pipeline.runner.engine
    assert (
        len(engine.added) == len(windows(15000, 25))
        and max(len(p.track_codes_FK) for p, _ in engine.added) == 200
    )


def test_text_is_shared_out_among_windows(pipeline: Any, speech: Any) -> None:
    text = "The library closes early on Sundays, so we had better leave before lunch. " * 4
    result = pipeline.speak(pipeline.job("noise_suppression", audio=(speech(25), 16000), text=text))
    prompts = [p for p, _ in pipeline.runner.engine.added]
    assert len(prompts) == 4
    # A tiny aligner is no judge of where words are; but every window has words, and times do not go back.
    assert all(p.track is not None and p.frames == 200 for p in prompts)
    for prompt in prompts:
        path_F = prompt.track.path_F
        assert len(path_F) == 200 and (np.diff(path_F) >= 0).all() and path_F[-1] < prompt.track.stop
    starts = [w.start for w in result.words]
    assert starts == sorted(starts) and starts[-1] <= result.seconds


def test_a_short_recording_has_all_its_text(pipeline: Any, speech: Any) -> None:
    result = pipeline.speak(
        pipeline.job("noise_suppression", audio=(speech(3), 16000), text="One two three.")
    )
    assert [w.text for w in result.words] == ["One", "two", "three"]
    prompt = pipeline.runner.engine.added[0][0]
    assert prompt.track.stop == len(prompt.track.ids) and prompt.frames == 75


def test_words_stay_where_the_recording_has_them(pipeline: Any, speech: Any, aligned: None) -> None:
    """The `aligned` fixture hears three words in three seconds, each 0.8 s long."""
    job = pipeline.job("noise_suppression", audio=(speech(3), 16000), text="One two three.")
    pipeline.speak(job)
    track = pipeline.runner.engine.added[0][0].track
    starts = [int(np.flatnonzero(track.path_F == p)[0]) for p in np.unique(track.path_F) if p]
    assert any(abs(s - 25) <= 1 for s in starts) and any(abs(s - 50) <= 1 for s in starts)


def test_a_text_too_long_for_the_recording_is_refused(pipeline: Any, speech: Any) -> None:
    with pytest.raises(InputError, match="don't belong together") as caught:
        pipeline.speak(
            pipeline.job("noise_suppression", audio=(speech(1), 16000), text="far too many words " * 20)
        )
    assert caught.value.field == "text"


def test_extraction_shows_the_enrollment_first(pipeline: Any, speech: Any) -> None:
    from speechx.models.lm.prompt import Frames, Token
    from speechx.tasks._shared.enrollment import ENR
    from speechx.tasks.target_speaker_extraction import TSE

    job = pipeline.job("target_speaker_extraction", audio=(speech(3), 16000), enrollment="heart")
    pipeline.speak(job)
    enr, voice, tse, mixture = pipeline.runner.engine.added[0][0].segments
    assert (enr, tse) == (Token(ENR), Token(TSE))
    assert isinstance(voice, Frames) and voice.cache_key and not voice.aligned and len(voice.codes_FK) <= 150
    assert isinstance(mixture, Frames) and mixture.aligned and len(mixture.codes_FK) == 75


def test_clipped_sound_is_told(pipeline: Any, speech: Any) -> None:
    loud_T = np.clip(speech(2) * 20, -0.9, 0.9)
    assert (
        "clipped" in pipeline.speak(pipeline.job("noise_suppression", audio=(loud_T, 16000))).info["warning"]
    )

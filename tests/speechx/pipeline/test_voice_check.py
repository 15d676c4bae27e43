"""The voice check of best-of-N: of candidates that say the same, the one that sounds like the voice."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from speechx.errors import InputError
from speechx.models.speaker import open_voice_encoder
from speechx.pipeline.candidates import ActivePart, Candidate
from speechx.pipeline.running_job import RunningJob
from speechx.task.frontend import LEAST_SPEAKER_SECONDS
from speechx.task.plan import GeneratedPart, Plan


class LoudnessEncoder:
    """A stand-in for a speaker encoder: loud sounds are one speaker, soft ones another."""

    def embed(self, wav_T: np.ndarray) -> np.ndarray:
        loud = float(np.sqrt(np.mean(wav_T**2))) > 0.1
        return np.array([1.0, 0.0] if loud else [0.0, 1.0])


@pytest.fixture
def checked(frontend: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A frontend whose codes are levels of sound: code 1 is soft, code 2 loud."""
    monkeypatch.setattr(frontend, "speaker", LoudnessEncoder())
    monkeypatch.setattr(frontend, "fit", lambda *args: 0.0)
    monkeypatch.setattr(
        frontend, "decode", lambda codes_FK: np.repeat(0.2 * codes_FK[:, 0] - 0.15, frontend.hop)
    )
    return frontend


def chosen(frontend: Any, pipeline: Any, voice_T: np.ndarray | None, frames: int = 30) -> int:
    """The code of the chosen one of two candidates, soft and loud."""
    job = pipeline.job("tts", text="Hello.", voice="heart", best_of=2)
    plan = Plan((), frontend.sample_rate, voice_T=voice_T)
    running = RunningJob(job, pipeline.prepare(job).task, plan, frontend, seed=1)
    part = next(iter(pipeline.prepare(job).plan.parts))
    assert isinstance(part, GeneratedPart)
    active = ActivePart(part)
    for code in (1, 2):
        active.candidates.append(Candidate(active))
        active.candidates[-1].append(np.full((frames, 8), code, np.int16), np.zeros(frames, np.int32))
    return int(running._best(active, active.candidates).codes_FK()[0, 0])


def test_the_one_that_sounds_like_the_voice(checked: Any, pipeline: Any) -> None:
    soft_T, loud_T = np.full(16000, 0.05, np.float32), np.full(16000, 0.25, np.float32)
    assert chosen(checked, pipeline, soft_T) == 1
    assert chosen(checked, pipeline, loud_T) == 2


def test_too_little_sound_is_not_judged(checked: Any, pipeline: Any) -> None:
    loud_T = np.full(16000, 0.25, np.float32)
    frames = int(LEAST_SPEAKER_SECONDS * checked.frame_rate) - 1
    assert chosen(checked, pipeline, loud_T, frames) == 1, "the first one, as without a check"


def test_plans_name_the_voice_only_where_it_is_compared(frontend: Any, pipeline: Any, checked: Any) -> None:
    job = pipeline.job("tts", text="Hello.", voice="heart")
    assert pipeline.prepare(job).plan.voice_T is not None
    frontend.speaker = None
    assert pipeline.prepare(job).plan.voice_T is None


def test_an_encoder_that_is_not_there(tmp_path: Any) -> None:
    with pytest.raises(InputError, match="neither ecapa nor"):
        open_voice_encoder("wavlm")
    with pytest.raises(InputError, match="voice_check") as caught:
        open_voice_encoder(f"ecapa:{tmp_path}")
    assert "\n" not in str(caught.value)

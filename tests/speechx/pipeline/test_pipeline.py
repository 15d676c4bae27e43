"""The pipeline and its runner: seeds, sharing the engine, failures that stay where they are."""

from __future__ import annotations

import itertools
import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from speechx.errors import InputError
from speechx.pipeline.job import Job
from speechx.pipeline.running_job import word_times
from speechx.text import Word

HELLO = {"text": "Hello there. And once more, hello.", "voice": "heart"}


def test_the_same_seed_gives_the_same_audio(pipeline: Any) -> None:
    one, two = (pipeline.speak(pipeline.job("tts", **HELLO, seed=4)) for _ in range(2))
    assert np.array_equal(one.wav_T, two.wav_T)
    other = pipeline.speak(pipeline.job("tts", **HELLO))
    assert other.seed not in (None, 4) and not np.array_equal(one.wav_T, other.wav_T)
    again = pipeline.speak(pipeline.job("tts", **HELLO, seed=other.seed))
    assert np.array_equal(other.wav_T, again.wav_T)


def test_info(pipeline: Any) -> None:
    chunks = list(pipeline.stream(pipeline.job("tts", **HELLO, seed=4, stream=True)))
    assert chunks[0].info["seed"] == 4 and chunks[0].info["task"] == "tts" and not chunks[0].final
    info = chunks[-1].info
    assert info["model"] == "echo"
    assert info["audio_seconds"] == pytest.approx(sum(len(c.wav_T) for c in chunks) / 16000, abs=1e-3)
    assert 0 < info["first_audio_seconds"] <= info["seconds"]
    assert all(one.words == two.words[: len(one.words)] for one, two in itertools.pairwise(chunks))


def test_two_streams_take_turns(pipeline: Any) -> None:
    alone = [pipeline.speak(pipeline.job("tts", **HELLO, seed=s)) for s in (1, 2)]
    streams = [pipeline.stream(pipeline.job("tts", **HELLO, seed=s, stream=True)) for s in (1, 2)]
    got: list[list[np.ndarray]] = [[], []]
    while streams[0] or streams[1]:
        for i, stream in enumerate(streams):
            if stream:
                chunk = next(stream, None)
                got[i].append(np.zeros(0) if chunk is None else chunk.wav_T)
                streams[i] = stream if chunk else None
    for i in (0, 1):
        assert np.abs(np.concatenate(got[i]) - alone[i].wav_T).max() < 1e-5


def test_closing_a_stream_aborts_its_sequences(pipeline: Any) -> None:
    stream = pipeline.stream(pipeline.job("tts", **HELLO, stream=True))
    next(stream)
    stream.close()
    engine = pipeline.runner.engine
    assert engine.aborted and not engine.has_work and not pipeline.runner.has_work


def test_many(pipeline: Any, speech: Any) -> None:
    jobs = [pipeline.job("tts", **HELLO, seed=i) for i in range(5)]
    jobs.insert(2, pipeline.job("noise_suppression", audio=(np.zeros(16000, np.float32), 16000)))
    jobs.insert(4, pipeline.job("noise_suppression", audio=(speech(2), 16000)))
    results = {job.id: result for job, result in pipeline.speak_many(iter(jobs), at_once=3)}
    assert len(results) == 7
    assert isinstance(results[jobs[2].id], InputError) and "silent" in str(results[jobs[2].id])
    alone = pipeline.speak(pipeline.job("tts", **HELLO, seed=3))
    assert np.array_equal(results[jobs[5].id].wav_T, alone.wav_T)


def test_a_deadline_ends_the_job(pipeline: Any) -> None:
    job = replace(pipeline.job("tts", **HELLO), deadline=time.monotonic() - 1)
    with pytest.raises(TimeoutError, match="deadline"):
        pipeline.speak(job)
    assert not pipeline.runner.has_work


def test_a_failure_is_that_jobs_alone(pipeline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = pipeline.runner.engine
    add, calls = engine.add, []

    def failing(prompt: Any, params: Any, stops: tuple[int, ...]) -> int:
        calls.append(prompt)
        if params.seed == 13:
            raise ValueError("too long")
        return add(prompt, params, stops)

    monkeypatch.setattr(engine, "add", failing)
    good, bad = (pipeline.job("tts", text="Hello.", voice="heart", seed=s) for s in (1, 13))
    results = {job.id: result for job, result in pipeline.speak_many([good, bad])}
    assert isinstance(results[bad.id], ValueError) and results[good.id].seconds > 0.1
    assert not engine.has_work and not pipeline.runner.has_work


def test_running_into_the_length_limit_is_told(pipeline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = pipeline.runner.engine
    step = engine.step

    def limited() -> list[Any]:
        return [replace(e, reason="length") if e.finished else e for e in step()]

    monkeypatch.setattr(engine, "step", limited)
    assert pipeline.speak(pipeline.job("tts", text="Hello.", voice="heart")).info["truncated"] is True


def test_jobs_are_checked_before_they_run(pipeline: Any) -> None:
    with pytest.raises(InputError, match="unknown"):
        pipeline.job("sing")
    assert isinstance(pipeline.job("noise-suppression", audio="x.wav"), Job)


def test_word_times_need_the_pointer_to_be_past() -> None:
    words = (Word("a", 1, 3), Word("b", 3, 5), Word("c", 5, 6))
    pointer_F = np.array([0, 1, 2, 2, 3, 4])
    assert [(w.text, w.start, w.end) for w in word_times(words, pointer_F, 25, False)] == [("a", 0.04, 0.16)]
    assert [w.text for w in word_times(words, pointer_F, 25, True)] == ["a", "b"]


def test_a_bad_row_is_that_rows_alone(pipeline: Any) -> None:
    from speechx.api import SpeechX

    rows = [
        {"task": "tts", "text": "No voice."},
        {"task": "tts", "text": "Hello.", "voice": "heart"},
        {"text": "No task."},
        {"id": 4, "task": "sing"},
    ]
    results = {id(row): result for row, result in SpeechX(pipeline).batch(rows)}
    first, second, third, fourth = (results[id(row)] for row in rows)
    assert str(first) == "voice is missing: tts needs it" and isinstance(first, InputError)
    assert not isinstance(second, Exception) and second.seconds > 0
    assert "task is missing" in str(third) and "'sing' is unknown" in str(fourth)


def test_a_pipe_is_read_once(pipeline: Any, wav_file: Path, tmp_path: Path) -> None:
    """Tasks read a recording more than once."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    threading.Thread(target=fifo.write_bytes, args=(wav_file.read_bytes(),), daemon=True).start()
    piped, plain = (
        pipeline.speak(pipeline.job("noise_suppression", audio=it, seed=1)) for it in (fifo, wav_file)
    )
    assert np.array_equal(piped.wav_T, plain.wav_T)

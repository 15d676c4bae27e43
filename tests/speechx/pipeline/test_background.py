"""Sound is decoded and candidates are scored beside the engine's steps: the same results, and faults stay where they are."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import numpy as np
import pytest
import torch

from speechx.pipeline.background import OneThread, at_once
from speechx.pipeline.job import Chunk
from speechx.pipeline.renderer import Renderer

HELLO = {"text": "Hello there. And once more, hello.", "voice": "heart", "seed": 4}


class Free:
    """So many processors are free."""

    def __init__(self, count: int) -> None:
        self.count = count

    def free(self) -> int:
        return self.count


def refuse() -> int:
    raise ValueError("no sound")


def test_an_error_is_a_result() -> None:
    for background in (at_once, OneThread()):
        failed = background(refuse)
        with pytest.raises(ValueError, match="no sound"):
            failed.result()
        assert background(lambda: 3).result() == 3


def test_a_thread_of_its_own_with_one_of_torchs_threads_does_things_in_turn() -> None:
    background, order = OneThread(), list[int]()
    calls = [
        background(lambda n=n: (order.append(n), threading.current_thread(), torch.get_num_threads()))
        for n in range(20)
    ]  # type: ignore[misc]
    results = [call.result() for call in calls]
    assert order == list(range(20))
    assert {(thread is threading.current_thread(), count) for _, thread, count in results} == {(False, 1)}


@pytest.mark.parametrize("stream", [False, True])
def test_a_free_processor_changes_no_sound(
    pipeline: Any, monkeypatch: pytest.MonkeyPatch, stream: bool
) -> None:
    threads = set[str]()
    decode = Renderer.frames

    def frames(self: Renderer, *args: Any) -> np.ndarray:
        threads.add(threading.current_thread().name.split("_")[0])
        return decode(self, *args)

    monkeypatch.setattr(Renderer, "frames", frames)
    monkeypatch.setattr("torch.get_num_threads", lambda: 2)
    heard: list[list[Chunk]] = []
    for count in (1, 2):
        pipeline.runner.processors = Free(count)
        heard.append(list(pipeline.stream(pipeline.job("tts", **HELLO, best_of=2, stream=stream))))
        assert ("speechx-render" in threads) == (count == 2)
    sounds = [np.concatenate([chunk.wav_T for chunk in chunks]) for chunks in heard]
    if stream:  # how much is decoded at once depends on the time
        np.testing.assert_allclose(sounds[0], sounds[1], atol=1e-5)
    else:
        np.testing.assert_array_equal(sounds[0], sounds[1])
    assert heard[0][-1].words == heard[1][-1].words


def test_a_fault_in_the_background_is_its_jobs_own(pipeline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    decode, broken = Renderer.frames, list[Renderer]()

    def frames(self: Renderer, *args: Any) -> np.ndarray:
        if self in broken:
            raise ValueError("no sound")
        return decode(self, *args)

    monkeypatch.setattr(Renderer, "frames", frames)
    monkeypatch.setattr("torch.get_num_threads", lambda: 2)
    pipeline.runner.processors = Free(2)
    good, bad = (pipeline.stream(pipeline.job("tts", **HELLO, stream=True)) for _ in range(2))
    next(good), next(bad)
    broken.append(pipeline.runner._jobs[1]._renderer)
    assert list(good)[-1].final
    with pytest.raises(ValueError, match="no sound"):
        list(bad)
    assert not pipeline.runner.has_work


@pytest.mark.parametrize("pending", [False, True])
def test_a_forked_child_speaks(pipeline: Any, monkeypatch: pytest.MonkeyPatch, pending: bool) -> None:
    """What the parent was decoding is done before the fork. The child does everything in one thread."""
    decode = Renderer.frames

    def slowly(self: Renderer, *args: Any) -> np.ndarray:
        time.sleep(0.2)
        return decode(self, *args)

    pipeline.runner.processors = Free(2)
    monkeypatch.setattr("torch.get_num_threads", lambda: 2)
    right = pipeline.speak(pipeline.job("tts", **HELLO, best_of=2))
    stream = pipeline.stream(pipeline.job("tts", **HELLO, stream=True))
    if pending:
        next(stream)
        monkeypatch.setattr(Renderer, "frames", slowly)
        next(stream)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            monkeypatch.undo()
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(60)
            same = np.allclose(
                pipeline.speak(pipeline.job("tts", **HELLO, best_of=2)).wav_T, right.wav_T, atol=1e-5
            )
            status = 0 if same and (not pending or list(stream)[-1].final) else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    stream.close()

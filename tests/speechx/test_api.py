"""The Python API: what counts as audio, how results look, help, forks."""

from __future__ import annotations

import inspect
import io
import os
import pydoc
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io.wavfile
import soundfile
import torch
from starlette.datastructures import UploadFile

from speechx import Chunk, InputError, Speech, SpeechX
from speechx.audio.coercion import as_source
from speechx.task import registry
from speechx.text.types import WordTime
from tests.conftest import voice
from tests.house.test_layout import ROOT

WAV_T = voice(3.0)


@pytest.fixture
def sx(pipeline: Any) -> SpeechX:
    return SpeechX(pipeline)


def wav_bytes() -> bytes:
    file = io.BytesIO()
    soundfile.write(file, WAV_T, 16000, format="WAV", subtype="FLOAT")
    return file.getvalue()


class TorchcodecDecoder:
    """As a row of `datasets` 4 is."""

    def get_all_samples(self) -> Any:
        return type("AudioSamples", (), {"data": torch.from_numpy(WAV_T)[None], "sample_rate": 16000})


def spooled() -> Any:
    file = tempfile.SpooledTemporaryFile()  # noqa: SIM115
    file.write(wav_bytes())
    file.seek(0)
    return file


def scipy_pair() -> Any:
    file = io.BytesIO()
    scipy.io.wavfile.write(file, 16000, WAV_T)
    return scipy.io.wavfile.read(file)


SAME: dict[str, Any] = {
    "bytes": lambda: wav_bytes(),
    "memoryview": lambda: memoryview(wav_bytes()),
    "BytesIO": lambda: io.BytesIO(wav_bytes()),
    "a temporary file": spooled,
    "an upload of FastAPI": lambda: UploadFile(spooled(), filename="a.wav"),
    "(array, rate)": lambda: (WAV_T, 16000),
    "(rate, array)": lambda: (16000, WAV_T),
    "a list of both": lambda: [WAV_T.tolist(), 16000],
    "a rate of numpy": lambda: (np.int32(16000), WAV_T),
    "a whole rate as float": lambda: (WAV_T, 16000.0),
    "scipy": lambda: scipy_pair(),
    "float64": lambda: (WAV_T.astype(np.float64), 16000),
    "datasets": lambda: {"path": None, "array": WAV_T.astype(np.float64), "sampling_rate": 16000},
    "datasets, not decoded": lambda: {"path": "a.wav", "bytes": wav_bytes()},
    "datasets 4": TorchcodecDecoder,
    "a tensor": lambda: (torch.from_numpy(WAV_T), 16000),
    "a tensor with channels": lambda: (torch.from_numpy(WAV_T)[None], 16000),
    "a tensor with gradients": lambda: (torch.from_numpy(WAV_T).requires_grad_(), torch.tensor(16000)),
    "a Speech": lambda: Speech(WAV_T, 16000),
    "a Chunk": lambda: Chunk(WAV_T, 16000),
}


@pytest.mark.parametrize("kind", SAME)
def test_what_counts_as_audio(sx: SpeechX, kind: str) -> None:
    expected = sx.noise_suppression((WAV_T, 16000), seed=1)
    assert sx.noise_suppression(SAME[kind](), seed=1).wav_T.tobytes() == expected.wav_T.tobytes()
    assert sx.align(SAME[kind](), "hi there").words == sx.align((WAV_T, 16000), "hi there").words


def test_a_file_that_cannot_be_read(sx: SpeechX, tmp_path: Path) -> None:
    message = "audio: is a file that is not open for reading: open it with mode 'rb'"
    with (tmp_path / "new.wav").open("wb") as file, pytest.raises(InputError, match=message):
        sx.noise_suppression(file)
    with pytest.raises(InputError, match="audio: is a closed file"):
        sx.noise_suppression(file)


def test_an_open_file(sx: SpeechX, wav_file: Path) -> None:
    with wav_file.open("rb") as file:
        assert sx.tts("Hello.", voice=file, seed=1).seconds > 0.1
        with pytest.raises(
            InputError, match=r"voice: is an open file with nothing left to read: call seek\(0\)"
        ):
            sx.tts("Hello.", voice=file)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_halved_tensors(sx: SpeechX, dtype: torch.dtype) -> None:
    assert sx.noise_suppression((torch.from_numpy(WAV_T).to(dtype), 16000), seed=1).seconds == 3.0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_tensor_on_a_gpu(sx: SpeechX) -> None:
    assert sx.noise_suppression((torch.from_numpy(WAV_T).cuda(), 16000), seed=1).seconds == 3.0


@pytest.mark.parametrize(
    ("audio", "says"),
    [
        (WAV_T, r"audio: has no sample rate: give \(samples, rate\)"),
        (torch.from_numpy(WAV_T), "audio: has no sample rate"),
        ((WAV_T, WAV_T), "audio: must be a path"),
        ((16000, 16000), "audio: must be a path"),
        ((WAV_T, True), "audio: must be a path"),
        ((WAV_T, 16000.5), "whole number of Hz, got 16000.5"),
        ((WAV_T, 0), "whole number of Hz, got 0"),
        ((WAV_T.astype(complex), 16000), "real numbers"),
        ((WAV_T[None, None], 16000), "real numbers"),
        ({"array": WAV_T}, "audio: has an array without a sampling_rate"),
        ((bytes(400), 8000), "audio: has raw bytes beside the rate: give numpy.frombuffer"),
        (([WAV_T, WAV_T[:99]], 16000), "audio: has blocks of different lengths: give one array"),
        ({"audio": WAV_T}, "audio: must have array and sampling_rate, or bytes, or path; it has audio"),
        (io.StringIO("text"), "audio: is a file open as text: open it with mode 'rb'"),
        (
            io.TextIOWrapper(io.BytesIO(b"RIFF\xff\xfe")),
            "audio: is a file open as text: open it with mode 'rb'",
        ),
        (b"", "audio: is empty"),
        (3, "audio: must be a path"),
    ],
)
def test_what_does_not(sx: SpeechX, audio: Any, says: str) -> None:
    for ask in (sx.noise_suppression, lambda it: sx.align(it, "hi")):
        if hasattr(audio, "seek"):
            audio.seek(0)
        with pytest.raises(InputError, match=says) as raised:
            ask(audio)
        assert raised.value.field == "audio"


def test_integers_keep_their_scale() -> None:
    samples = (WAV_T * 32767).astype(np.int16)
    source = as_source((48000, samples))
    assert isinstance(source, tuple) and source[0].dtype == np.int16 and source[1] == 48000


def test_a_speech_is_an_array() -> None:
    speech = Speech(WAV_T, 16000)
    assert np.asarray(speech) is WAV_T and np.shares_memory(np.array(speech, copy=False), WAV_T)
    assert not np.shares_memory(np.array(speech), WAV_T) and not np.shares_memory(
        np.array(speech, copy=True), WAV_T
    )
    assert np.asarray(speech, dtype=np.float64).dtype == np.float64
    with pytest.raises(ValueError, match="copy"):
        np.array(speech, dtype=np.float64, copy=False)
    assert np.abs(speech).max() == np.abs(WAV_T).max()
    assert torch.as_tensor(np.asarray(speech)).shape == (48000,)


def test_one_line_shows_it(sx: SpeechX) -> None:
    speech = Speech(WAV_T, 16000, (WordTime("hi", 0.0, 0.5),), {"seed": 4})
    assert repr(speech) == "<Speech 3.00 s at 16000 Hz, 1 words, seed 4>"
    assert repr(Chunk(WAV_T, 16000, final=True)) == "<Chunk 3.00 s at 16000 Hz, final>"
    assert repr(sx) == "<SpeechX model echo, 8 slots>"
    assert speech == speech and speech != Speech(WAV_T, 16000) and len({speech}) == 1


def test_help_has_all_tasks() -> None:
    shown = pydoc.plain(pydoc.render_doc(SpeechX))
    for name in registry.task_names():
        assert f"{name}(self, " in shown and name in dir(SpeechX)
        first = next(f for f, info in registry.task(name).Request.model_fields.items() if info.is_required())
        assert list(inspect.signature(getattr(SpeechX, name)).parameters)[:2] == ["self", first]
    assert "text: what to say" in shown and "AfterValidator" not in shown


def test_a_mistyped_task(sx: SpeechX) -> None:
    for owner in (sx, SpeechX):
        with pytest.raises(AttributeError, match="task 'noise_supression'; did you mean 'noise_suppression'"):
            owner.noise_supression  # noqa: B018
    with pytest.raises(InputError, match=r"task 'ttz' is unknown.*did you mean 'tts'"):
        sx.run("ttz")
    with pytest.raises(InputError, match=r"voise is not a field of tts.*did you mean 'voice'"):
        sx.tts("hi", voise="heart")


def test_a_bad_row_costs_itself_alone(sx: SpeechX) -> None:
    good = {"task": "tts", "text": "Hello.", "voice": "heart"}
    wrong = ({"text": ""}, {"task": "sing"}, {"voice": "no.wav"})
    bad: list[Any] = [*({**good, **its} for its in wrong), {"text": "no task"}, "row"]
    results = list(sx.batch([bad[0], good, *bad[1:], {**good, "language": None}]))
    assert len(results) == 7 and sum(isinstance(result, Speech) for _, result in results) == 2
    for row, result in results:
        assert isinstance(result, InputError) == (row in bad)


FORK = """
import asyncio, os, sys, torch
from speechx import SpeechX
from speechx.pipeline.local_engine import LocalEngine

sx = SpeechX.load(sys.argv[1])
torch.set_num_threads(2)
big = torch.rand(1200, 1200)
big @ big                                   # OpenMP starts its threads
same = sx.tts("Hello there.", voice="heart", seed=1)
engine = LocalEngine(SpeechX.load(sys.argv[1]).pipeline)
job = sx.pipeline.job("tts", text="Hello.", voice="heart")
child = os.fork()
if child == 0:
    torch.nn.functional.softmax(big @ big, -1)
    again = sx.tts("Hello there.", voice="heart", seed=1)
    try:
        asyncio.run(anext(engine.stream(job)))
    except RuntimeError as error:
        told = "parent process" in str(error)
    os._exit(0 if again.wav_T.shape == same.wav_T.shape and told else 3)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
sx.tts("The parent goes on.", voice="heart")
assert torch.get_num_threads() == 2
engine.close()
sys.exit(code)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_speaks(tiny_folder: Path) -> None:
    """As with gunicorn --preload, celery, or multiprocessing on Linux. Without care the child hangs in OpenMP."""
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    process = subprocess.Popen(
        [sys.executable, "-c", FORK, str(tiny_folder)], cwd=ROOT, env=environment, start_new_session=True
    )
    try:
        assert process.wait(60) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, 9)
            process.wait()

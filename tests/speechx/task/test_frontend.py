"""The front end: blocks of codes, voices, limits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from speechx.errors import InputError
from speechx.task.code_streams import CodeReader
from speechx.task.frontend import Frontend, trim


def test_blocks_give_the_codes_of_the_whole(frontend: Any, speech: Any) -> None:
    wav_T = speech(31.27)
    whole_FK = frontend._encode(wav_T)
    assert np.array_equal(frontend.encode(wav_T), whole_FK)
    reader = frontend.reader(wav_T)
    assert reader.frames == len(whole_FK)
    for start, stop in ((0, 3), (190, 420), (777, len(whole_FK))):
        assert np.array_equal(reader.read(start, stop), whole_FK[start:stop])


def test_only_the_blocks_that_are_read_are_encoded(speech: Any) -> None:
    asked: list[int] = []

    def encode(wav_T: np.ndarray) -> np.ndarray:
        asked.append(len(wav_T))
        return np.zeros((-(-len(wav_T) // 640), 8), np.int16)

    reader = CodeReader(encode, np.zeros(640 * 10_000, np.float32), 640, 25)
    reader.read(0, 200)
    assert len(asked) == 1 and asked[0] <= 640 * 280


def test_streaming_equals_decoding(frontend: Any, speech: Any) -> None:
    codes_FK = frontend.encode(speech(2))
    stream = frontend.stream()
    parts = [stream.push(codes_FK[None, i : i + 7]) for i in range(0, 50, 7)]
    assert np.abs(np.concatenate([*parts, stream.flush()], 1)[0] - frontend.decode(codes_FK)).max() < 1e-4


def test_voices_are_kept_and_named_by_content(frontend: Any, speech: Any, tmp_path: Any) -> None:
    wav_T = speech(3)
    codes_FK, key = frontend.voice_codes((wav_T, 16000))
    again_FK, same = frontend.voice_codes((wav_T.copy(), 16000))
    assert again_FK is codes_FK and same == key
    assert frontend.voice_codes("heart")[1] != key
    long_FK, _ = frontend.voice_codes((speech(20), 16000))
    assert len(long_FK) <= 151


def test_a_voice_without_speech(frontend: Any, speech: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The aligner is asked once for a voice; a model without one says nothing."""
    asked: list[int] = []
    voice = speech(4) + 0.01, 16000
    monkeypatch.setattr(type(frontend.aligner), "phones_per_second", lambda *_: asked.append(1) or 1.7)
    for _ in range(2):
        assert "speech was found in enrollment" in frontend.voice_warning(voice, "enrollment")
    assert asked == [1]
    assert Frontend(frontend.codec).voice_warning(voice) is None


def test_a_server_takes_no_file_names(tiny_codec: Any, wav_file: Any) -> None:
    frontend = Frontend(tiny_codec, paths=False)
    for call in (frontend.load_audio, frontend.voice, frontend.rate_of):
        with pytest.raises(InputError, match="file names are not taken here"):
            call(str(wav_file))
    assert len(frontend.load_audio(wav_file.read_bytes())) == 48000


def test_without_an_aligner(tiny_codec: Any, frontend: Any) -> None:
    with pytest.raises(InputError, match="without an aligner"):
        Frontend(tiny_codec).align(np.zeros((5, 8), np.int16), frontend.phones("hi", "en"))


def test_trim_keeps_the_speech(speech: Any) -> None:
    quiet_T = np.zeros(16000, np.float32)
    wav_T = trim(np.concatenate([quiet_T, speech(1), quiet_T]), 16000)
    assert 16000 <= len(wav_T) <= 16000 + 2 * 1600 + 640
    assert len(trim(quiet_T, 16000)) == 16000

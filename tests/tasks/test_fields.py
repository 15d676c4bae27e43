"""Requests: what they take, and how they refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from speechx.errors import InputError
from speechx.task import registry

VOICE = (np.zeros(16000, np.float32), 16000)


@pytest.mark.parametrize(
    ("task", "fields", "field", "says"),
    [
        ("tts", {"text": "hi"}, "voice", "missing"),
        ("tts", {"text": "", "voice": "heart"}, "text", "nothing to speak"),
        ("tts", {"text": "😀 🎉!", "voice": "heart"}, "text", "nothing to speak"),
        ("tts", {"text": "a" * 100_000, "voice": "heart"}, "text", "100,000 characters; the limit is 20,000"),
        (
            "tts",
            {"text": "hi", "voice": "heart", "language": "xx"},
            "language",
            "choose one of en, es, fr, de, it, pt",
        ),
        ("tts", {"text": "hi", "voice": "heart", "volume": 3}, "volume", "not a field of tts"),
        ("tts", {"text": "hi", "voice": 7}, "voice", "must be a path"),
        ("tts", {"text": "hi", "voice": "heart", "best_of": 99}, "best_of", "less than or equal to 16"),
        (
            "tts",
            {"text": "hi", "voice": "heart", "temperature": -1},
            "temperature",
            "greater than or equal to 0",
        ),
        ("tts", {"text": "hi", "voice": "heart", "format": "wma"}, "format", "wav"),
        ("cross_lingual_tts", {"text": "hola", "voice": "heart"}, "language", "missing"),
        ("noise_suppression", {"audio": b""}, "audio", "empty"),
        ("noise_suppression", {"audio": (np.array(["a"]), 16000)}, "audio", "numbers"),
        ("speech_editing", {"audio": VOICE, "text": "hi"}, "transcript", "missing"),
        ("speech_editing", {"audio": VOICE, "text": "hi", "span": (2, 1)}, "span", "later end"),
    ],
)
def test_refuses(task: str, fields: dict[str, Any], field: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        registry.parse_request(task, fields)
    assert caught.value.field == field
    assert field in str(caught.value)
    assert says in str(caught.value)


def test_an_unknown_task_names_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"choose one of .*noise_suppression"):
        registry.task("sing")


def test_takes_paths_bytes_arrays_and_regions() -> None:
    for audio in ("a.wav", b"RIFF", VOICE, (VOICE[0].tolist(), 16000)):
        request: Any = registry.parse_request("noise-suppression", {"audio": audio, "language": "en_US"})
        assert request.language == "en"
    assert request.audio[0].shape == (16000,)


def test_none_is_the_default() -> None:
    unset = dict.fromkeys(registry.task("tts").Request.model_fields)
    request: Any = registry.parse_request("tts", {**unset, "text": "hi", "voice": "heart"})
    assert (request.language, request.stream, request.seed) == ("en", False, None)
    with pytest.raises(InputError, match="voice is missing"):
        registry.parse_request("tts", {**unset, "text": "hi"})


def test_a_result_is_an_input() -> None:
    from speechx.pipeline.result import Speech

    request: Any = registry.parse_request("noise_suppression", {"audio": Speech(VOICE[0], 16000)})
    assert request.audio[1] == 16000


def test_the_schema_marks_what_is_sound() -> None:
    assert registry.audio_fields(registry.task("target_speaker_extraction")) == {
        "audio": "audio",
        "enrollment": "voice",
    }
    assert registry.audio_fields(registry.task("tts")) == {"voice": "voice"}

"""Built-in voices, and enrolling voices in folders and behind fsspec URLs."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import fsspec
import numpy as np
import pytest
import torch

from speechx.audio import levels, writing
from speechx.errors import InputError
from speechx.files import Storage
from speechx.models.adapter_file import AdapterInfo, write_adapter
from speechx.task.voices import VoiceStore, VoiceTaken, default_root
from tests.speechx.audio.test_reading import noise, tone


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> VoiceStore:
    if request.param == "folder":
        return VoiceStore(tmp_path / "deep" / "voices")
    fsspec.filesystem("memory").store.clear()
    return VoiceStore("memory://bucket/voices")


def test_builtin_voices(store: VoiceStore) -> None:
    voices = store.list()
    assert len(voices) >= 4
    assert {voice.language for voice in voices} >= {"en", "es", "fr"}
    for voice in voices:
        wav_T = store.wav(voice.id)
        assert voice.builtin and "Apache-2.0" in voice.license
        assert len(wav_T) / 16000 == pytest.approx(voice.seconds, abs=0.01) and 3 < voice.seconds < 8
        assert not levels.is_silent(wav_T) and not levels.is_clipped(wav_T)
        assert -30 < levels.rms_db(wav_T, active=True) < -16


def test_enroll_and_remove(store: VoiceStore) -> None:
    builtin = store.ids()
    voice = store.enroll((noise(3.0), 16000), "ana", name="Ana", language="es", consent=True)
    assert store.ids() == [*builtin, "ana"]
    other = VoiceStore(store.root)
    assert other.get("ana") == voice and voice.seconds == 3.0 and voice.consent and voice.created
    assert np.allclose(other.wav("ana"), noise(3.0), atol=1e-4)
    with pytest.raises(InputError, match="is taken"):
        store.enroll((noise(3.0), 16000), "ana", consent=True)
    store.enroll((noise(4.0, 1), 16000), "ana", consent=True, overwrite=True)
    assert len(store.wav("ana")) == 64000, "the old recording is not served from the cache"
    store.remove("ana")
    assert store.ids() == builtin
    for action in (store.get, store.wav, store.remove):
        with pytest.raises(KeyError):
            action("ana")


@pytest.mark.parametrize(
    ("wav_T", "fields", "words"),
    [
        (noise(3.0), {"consent": False}, "consent must be true"),
        (noise(3.0), {"voice_id": "../x"}, "must be 1-64"),
        (noise(3.0), {"voice_id": "Ana"}, "must be 1-64"),
        (noise(3.0), {"voice_id": "heart"}, "is taken"),
        (noise(1.9), {}, "at least 2 s"),
        (noise(31.0), {}, "the limit is 30 s"),
        (np.zeros(48000, np.float32), {}, "is silent"),
        (np.clip(9 * noise(3.0), -0.5, 0.5), {}, "clipped"),
    ],
)
def test_what_cannot_be_enrolled(tmp_path: Path, wav_T: np.ndarray, fields: dict, words: str) -> None:
    store = VoiceStore(tmp_path)
    with pytest.raises(InputError, match=words):
        store.enroll((wav_T, 16000), **{"voice_id": "x", "consent": True, **fields})
    assert list(tmp_path.iterdir()) == []


def test_unknown_ids_and_roots(tmp_path: Path) -> None:
    store = VoiceStore(tmp_path / "none")
    for voice_id in ("nobody", "../../etc/passwd", ""):
        with pytest.raises(KeyError):
            store.wav(voice_id)
    with pytest.raises(InputError, match="built-in"):
        store.remove("heart")
    with pytest.raises(InputError, match="cannot be used"):
        VoiceStore("nosuchprotocol://x").ids()
    (tmp_path / "half.flac").write_bytes(writing.encode(tone(), 16000, "flac"))  # its json never came
    assert "half" not in VoiceStore(tmp_path).ids()


def test_of_callers_with_one_id_one_succeeds(store: VoiceStore) -> None:
    """Description and recording are those of the same caller."""

    def enroll(number: int) -> int | None:
        try:
            VoiceStore(store.root).enroll(
                (noise(2.0 + number, number), 16000), "ana", name=str(number), consent=True
            )
        except VoiceTaken:
            return None
        return number

    for _ in range(5):
        with ThreadPoolExecutor(6) as pool:
            made = [n for n in pool.map(enroll, range(6)) if n is not None]
        assert len(made) == 1
        fresh = VoiceStore(store.root)
        assert fresh.get("ana").name == str(made[0]) and len(fresh.wav("ana")) == (2 + made[0]) * 16000
        fresh.remove("ana")


def test_an_overwritten_voice_is_never_read_with_the_old_recording(tmp_path: Path) -> None:
    store = VoiceStore(tmp_path)
    store.enroll((noise(2.0), 16000), "ana", consent=True)
    store.enroll((noise(3.0), 16000), "ana", consent=True, overwrite=True)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".flac", ".json"], (
        "the old recording is gone"
    )
    assert len(VoiceStore(tmp_path).wav("ana")) == 48000


def test_damaged_files_cost_themselves_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = VoiceStore(tmp_path)
    store.enroll((noise(2.0), 16000), "ana", consent=True)
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "outside.json").write_text(json.dumps({**asdict(store.get("ana")), "recording": "../x.flac"}))
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    assert [voice.id for voice in store.list() if not voice.builtin] == ["ana"]
    assert "broken" in caplog.text and "outside" in caplog.text
    for voice_id in ("broken", "outside", "folder", "pipe"):
        with pytest.raises(KeyError):
            store.wav(voice_id)


def test_a_voice_of_the_first_release(tmp_path: Path) -> None:
    """Its recording is <id>.flac, and its description does not name it."""
    store = VoiceStore(tmp_path)
    store.enroll((noise(2.0), 16000), "ana", consent=True)
    (recording,) = tmp_path.glob("ana.*.flac")
    recording.rename(tmp_path / "ana.flac")
    (tmp_path / "ana.json").write_text(json.dumps(asdict(store.get("ana"))))
    assert len(VoiceStore(tmp_path).wav("ana")) == 32000
    store.remove("ana")
    assert not list(tmp_path.iterdir())


def test_default_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPEECHX_VOICES", "s3://bucket/v")
    assert default_root() == "s3://bucket/v"
    monkeypatch.delenv("SPEECHX_VOICES")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert default_root() == "/data/speechx/voices"


def adapter_file(name: str = "ana") -> bytes:
    factors = {"first_head.weight.up": torch.ones(4, 2), "first_head.weight.down": torch.ones(2, 4)}
    return write_adapter(AdapterInfo(name=name, base="b" * 16), factors)


def test_a_voice_with_an_adapter(store: VoiceStore) -> None:
    store.enroll((noise(3.0), 16000), "ana", consent=True)
    assert store.adapter("ana") is None and store.get("ana").adapter == ""
    first = store.set_adapter("ana", adapter_file()).adapter
    found = VoiceStore(store.root).adapter("ana")
    assert found is not None and found[0].name == "ana" and found[1].name == first
    second = store.set_adapter("ana", adapter_file("anna")).adapter
    assert second != first and store.get("ana").adapter == second
    assert files(store) == ["json", "flac", f"{second}.safetensors"], "the first one is gone"
    store.set_adapter("ana", None)
    assert store.adapter("ana") is None and files(store) == ["json", "flac"]
    store.set_adapter("ana", adapter_file())
    store.remove("ana")
    assert files(store) == []


def test_an_adapter_needs_an_enrolled_voice_and_must_be_one(store: VoiceStore) -> None:
    for voice_id in ("nobody", store.ids()[0]):
        with pytest.raises(KeyError):
            store.set_adapter(voice_id, adapter_file())
    store.enroll((noise(3.0), 16000), "ana", consent=True)
    with pytest.raises(InputError, match="no safetensors file"):
        store.set_adapter("ana", b"pickle")
    assert store.get("ana").adapter == "" and files(store) == ["json", "flac"]


def test_a_voice_enrolled_anew_has_no_adapter(store: VoiceStore) -> None:
    store.enroll((noise(3.0), 16000), "ana", consent=True)
    store.set_adapter("ana", adapter_file())
    store.enroll((noise(4.0, 1), 16000), "ana", consent=True, overwrite=True)
    assert store.adapter("ana") is None and files(store) == ["json", "flac"]


def files(store: VoiceStore) -> list[str]:
    """Kinds of the files of the voice `ana`."""
    names = sorted(Storage(store.root, "voices").names())
    ana = [name.split(".", 1)[1] for name in names if name.startswith("ana.")]
    kinds = ["flac" if kind.endswith(".flac") else kind for kind in ana]
    return sorted(kinds, key=lambda kind: (kind != "json", kind != "flac", kind))

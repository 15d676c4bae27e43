"""Voices by id: those that come with SpeechX, and those that a user enrolled in a folder or behind any fsspec URL.

    voices = VoiceStore("s3://bucket/voices")       # or a folder; default $SPEECHX_VOICES, else the user's data folder
    voices.enroll("me.wav", "me", language="en", consent=True)
    wav_T = voices.wav("me")                        # (T,) float32, 16 kHz

A voice is `<id>.flac` and `<id>.json`. The json is written last and removed first, each in one step, so a voice is
whole or not there, whoever reads meanwhile.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import time
from collections import OrderedDict
from dataclasses import asdict, dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import TypeAlias

from speechx.audio import levels, reading, writing
from speechx.audio.types import AudioSource, Samples
from speechx.errors import InputError
from speechx.files import Storage

__all__ = ["MAX_ENROLL_SECONDS", "MIN_ENROLL_SECONDS", "Voice", "VoiceStore", "default_root"]

MIN_ENROLL_SECONDS, MAX_ENROLL_SECONDS = 2.0, 30.0
LISTING_SECONDS = 5.0  # how long a listing of a remote root is believed
CACHED_WAVS = 64
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True)
class Voice:
    """What is known of a voice. consent: the speaker agreed to be enrolled (built-in voices are synthetic)."""

    id: str
    name: str
    language: str
    license: str
    seconds: float
    consent: bool = True
    created: str = ""
    builtin: bool = False


Ids: TypeAlias = "list[str]"  # VoiceStore.list hides the builtin within the class
Voices: TypeAlias = "list[Voice]"


def default_root() -> str:
    """Where enrolled voices are kept: $SPEECHX_VOICES (a folder or an fsspec URL), else the user's data folder."""
    if root := os.environ.get("SPEECHX_VOICES"):
        return root
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return str(Path(data) / "speechx" / "voices")


class VoiceStore:
    """The built-in voices and those enrolled under `root`. A root that does not exist yet holds none."""

    def __init__(self, root: str | os.PathLike[str] | None = None) -> None:
        self.root = os.fspath(root) if root is not None else default_root()
        self._storage = Storage(self.root, "voices")
        self._listing: tuple[float, Ids] | None = None
        self._wavs: OrderedDict[str, Samples] = OrderedDict()

    def ids(self) -> Ids:
        """All ids, the built-in ones first."""
        return [*_builtin(), *self._enrolled()]

    def list(self) -> Voices:
        return [self.get(voice_id) for voice_id in self.ids()]

    def get(self, voice_id: str) -> Voice:
        """Raises KeyError for an unknown id."""
        if voice_id in _builtin():
            return _builtin()[voice_id]
        return _voice(self._load(voice_id, ".json"))

    def wav(self, voice_id: str) -> Samples:
        """The recording (T,) at 16 kHz. Raises KeyError for an unknown id."""
        voice = self.get(voice_id)
        key = f"{voice_id} {voice.created}"
        if key not in self._wavs:
            if voice.builtin:
                data = (files("speechx") / "assets" / "voices" / f"{voice_id}.flac").read_bytes()
            else:
                data = self._load(voice_id, ".flac")
            self._wavs[key] = reading.read(data, field=f"voice {voice_id}")
            while len(self._wavs) > CACHED_WAVS:
                self._wavs.popitem(last=False)
        self._wavs.move_to_end(key)
        return self._wavs[key]

    def enroll(
        self,
        source: AudioSource,
        voice_id: str,
        *,
        name: str | None = None,
        language: str = "en",
        consent: bool = False,
        license: str = "as agreed with the speaker",
        overwrite: bool = False,
    ) -> Voice:
        """Keep 2-30 s of a speaker who agreed to it. Raises InputError: bad or taken id, no consent, unfit sound."""
        if not _ID.fullmatch(voice_id):
            raise InputError(
                f"id {voice_id!r} must be 1-64 of a-z, 0-9, '-' and '_', and begin with a letter or digit",
                field="id",
            )
        if not consent:
            raise InputError(
                "consent must be true: a voice is enrolled only when its speaker has agreed to it",
                field="consent",
            )
        if voice_id in _builtin() or (voice_id in self._enrolled(fresh=True) and not overwrite):
            raise InputError(f"id {voice_id!r} is taken", field="id")
        wav_T = reading.read(
            source, min_seconds=MIN_ENROLL_SECONDS, max_seconds=MAX_ENROLL_SECONDS, field="voice"
        )
        if levels.is_silent(wav_T):
            raise InputError("voice is silent: no part of it is louder than -60 dB", field="voice")
        if levels.is_clipped(wav_T):
            raise InputError("voice is badly clipped: record it at a lower level", field="voice")
        created = datetime.datetime.now(datetime.UTC).isoformat()
        seconds = round(len(wav_T) / reading.SAMPLE_RATE, 3)
        voice = Voice(voice_id, name or voice_id, language, license, seconds, True, created)
        if overwrite:
            self._remove(voice_id, ".json")
        self._save(voice_id, ".flac", writing.encode(wav_T, reading.SAMPLE_RATE, "flac"))
        self._save(voice_id, ".json", json.dumps(asdict(voice), ensure_ascii=False, indent=1).encode())
        self._listing = None
        return voice

    def remove(self, voice_id: str) -> None:
        """Forget an enrolled voice, its recording too. Raises KeyError for an unknown id, InputError for a built-in."""
        if voice_id in _builtin():
            raise InputError(f"id {voice_id!r} is a built-in voice and cannot be removed", field="id")
        if voice_id not in self._enrolled(fresh=True):
            raise KeyError(voice_id)
        self._remove(voice_id, ".json")
        self._remove(voice_id, ".flac")
        self._listing = None

    # Storage

    def _enrolled(self, *, fresh: bool = False) -> Ids:
        remote = not self._storage.is_local
        if remote and not fresh and self._listing and time.monotonic() - self._listing[0] < LISTING_SECONDS:
            return self._listing[1]
        names = self._storage.names()
        ids = sorted(n.removesuffix(".json") for n in names if n.endswith(".json") and _ID.fullmatch(n[:-5]))
        self._listing = time.monotonic(), ids
        return ids

    def _load(self, voice_id: str, suffix: str) -> bytes:
        if not _ID.fullmatch(voice_id):
            raise KeyError(voice_id)
        try:
            return self._storage.read(f"{voice_id}{suffix}")
        except FileNotFoundError:
            raise KeyError(voice_id) from None

    def _save(self, voice_id: str, suffix: str, data: bytes) -> None:
        self._storage.make()
        self._storage.write(f"{voice_id}{suffix}", data)

    def _remove(self, voice_id: str, suffix: str) -> None:
        if self._storage.exists(name := f"{voice_id}{suffix}"):
            self._storage.remove(name)


_BUILTIN: dict[str, Voice] = {}


def _builtin() -> dict[str, Voice]:
    if not _BUILTIN:
        text = (files("speechx") / "assets" / "voices" / "voices.json").read_text(encoding="utf-8")
        _BUILTIN.update({row["id"]: Voice(**row, builtin=True) for row in json.loads(text)})
    return _BUILTIN


def _voice(data: bytes) -> Voice:
    known = {field.name for field in fields(Voice)}
    return Voice(**{key: value for key, value in json.loads(data).items() if key in known})

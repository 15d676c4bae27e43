"""Voices by id: those that come with SpeechX, and those that a user enrolled in a folder or behind any fsspec URL.

    voices = VoiceStore("s3://bucket/voices")       # or a folder; default $SPEECHX_VOICES, else the user's data folder
    voices.enroll("me.wav", "me", language="en", consent=True)
    wav_T = voices.wav("me")                        # (T,) float32, 16 kHz

A voice is `<id>.json` and the recording that it names, `<id>.<random>.flac`, and may have an adapter of the language
model, `<id>.<hash>.safetensors`. The json is written last and removed first, each in one step: a voice is whole or absent
for every reader, and of several enrollments with one id one succeeds.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import logging
import os
import re
import time
import uuid
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import asdict, dataclass, fields, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from speechx.audio import levels, reading, writing
from speechx.audio.coercion import AudioLike, as_source
from speechx.audio.types import Samples
from speechx.errors import InputError, did_you_mean
from speechx.files import Storage
from speechx.text.languages import language_code

if TYPE_CHECKING:
    from speechx.models.adapter_file import AdapterInfo
    from speechx.models.lora import LoRAAdapter

__all__ = [
    "MAX_ENROLL_SECONDS",
    "MIN_ENROLL_SECONDS",
    "Voice",
    "VoiceStore",
    "VoiceTaken",
    "check_voice_id",
    "default_root",
    "known_voice",
    "unknown_voice",
]

logger = logging.getLogger(__name__)

MIN_ENROLL_SECONDS, MAX_ENROLL_SECONDS = 2.0, 30.0
LISTING_SECONDS = 5.0  # how long a listing of a remote root is believed
CACHED_WAVS = 64
CACHED_ADAPTERS = 32
_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


@dataclass(frozen=True)
class Voice:
    """What is known of a voice.

    consent: the speaker agreed to be enrolled (built-in voices are synthetic). adapter: hash of its adapter, "" without one.
    """

    id: str
    name: str
    language: str
    license: str
    seconds: float
    consent: bool = True
    created: str = ""
    builtin: bool = False
    adapter: str = ""


class VoiceTaken(InputError):
    """The id belongs to another voice."""


Ids: TypeAlias = "list[str]"  # VoiceStore.list hides the builtin within the class
Voices: TypeAlias = "list[Voice]"


def check_voice_id(voice_id: str, field: str = "id") -> None:
    """Raises InputError for what cannot be the id of a voice."""
    if not _ID.fullmatch(voice_id):
        raise InputError(
            f"{field} {voice_id!r} must be 1-64 of a-z, 0-9, '-' and '_', and begin with a letter or digit",
            field=field,
        )


def known_voice(name: str, ids: Collection[str]) -> str | None:
    """The id that a name stands for, without regard to case (`Heart` is heart); None for an unknown name."""
    folded = name.strip().lower()
    return folded if folded in ids else None


def unknown_voice(name: str, ids: Collection[str], field: str = "voice") -> InputError:
    """The error about a voice that is neither a file nor known."""
    return InputError(
        f"{field} {name!r} is neither a file nor a known voice ({', '.join(ids) or 'none'}){did_you_mean(name, ids)}",
        field=field,
    )


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
        self._adapters: OrderedDict[str, tuple[AdapterInfo, LoRAAdapter]] = OrderedDict()

    def ids(self) -> Ids:
        """All ids, the built-in ones first."""
        return [*_builtin(), *self._enrolled()]

    def list(self) -> Voices:
        """All voices. A damaged description is logged and left out."""
        found = []
        for voice_id in self.ids():
            with contextlib.suppress(KeyError):
                found.append(self.get(voice_id))
        return found

    def get(self, voice_id: str) -> Voice:
        """Raises KeyError for an unknown id, and for one whose description is damaged."""
        return _builtin()[voice_id] if voice_id in _builtin() else self._entry(voice_id).voice

    def wav(self, voice_id: str) -> Samples:
        """The recording (T,) at 16 kHz. Raises KeyError for an unknown id."""
        builtin = voice_id in _builtin()
        recording = f"{voice_id}.flac" if builtin else self._entry(voice_id).recording
        key = f"{builtin} {recording}"
        if key not in self._wavs:
            if builtin:
                data = (files("speechx") / "assets" / "voices" / recording).read_bytes()
            else:
                data = self._read(voice_id, recording)
            self._wavs[key] = reading.read(data, field=f"voice {voice_id}")
            while len(self._wavs) > CACHED_WAVS:
                self._wavs.popitem(last=False)
        self._wavs.move_to_end(key)
        return self._wavs[key]

    def adapter(self, voice_id: str) -> tuple[AdapterInfo, LoRAAdapter] | None:
        """The adapter of a voice; None without one. Raises KeyError for an unknown id, InputError for a damaged file."""
        known = self.get(voice_id).adapter
        if not known:
            return None
        if known not in self._adapters:
            from speechx.models.adapter_file import read_adapter

            self._adapters[known] = read_adapter(self._read(voice_id, f"{voice_id}.{known}.safetensors"))
            while len(self._adapters) > CACHED_ADAPTERS:
                self._adapters.popitem(last=False)
        self._adapters.move_to_end(known)
        return self._adapters[known]

    def set_adapter(self, voice_id: str, data: bytes | None) -> Voice:
        """Gives an enrolled voice an adapter (a file's bytes), or takes it away (None).

        Raises KeyError for an id that is not enrolled, InputError for data that are no adapter.
        """
        entry, digest = self._entry(voice_id), ""
        if data is not None:
            from speechx.models.adapter_file import adapter_hash, read_adapter

            read_adapter(data)
            digest = adapter_hash(data)
            self._storage.write(f"{voice_id}.{digest}.safetensors", data)
        voice = replace(entry.voice, adapter=digest)
        self._storage.write(f"{voice_id}.json", _description(voice, entry.recording))
        if entry.voice.adapter not in ("", digest):
            self._remove(f"{voice_id}.{entry.voice.adapter}.safetensors")
        return voice

    def enroll(
        self,
        source: AudioLike,
        voice_id: str,
        *,
        name: str | None = None,
        language: str = "en",
        consent: bool = False,
        license: str = "as agreed with the speaker",
        overwrite: bool = False,
    ) -> Voice:
        """Keeps 2-30 s of a speaker who agreed to it. Raises InputError: bad id, no consent, unfit audio; VoiceTaken.

        The recording has a name of its own, which the description tells: of several callers with one id one succeeds, and
        no description is ever read with another's recording.
        """
        check_voice_id(voice_id)
        if not consent:
            raise InputError(
                "consent must be true: a voice is enrolled only when its speaker has agreed to it",
                field="consent",
            )
        if voice_id in _builtin() or (voice_id in self._enrolled(fresh=True) and not overwrite):
            raise _taken(voice_id)
        try:
            given = as_source(source)
        except InputError as error:
            raise error.located("voice") from error
        wav_T = reading.read(
            given, min_seconds=MIN_ENROLL_SECONDS, max_seconds=MAX_ENROLL_SECONDS, field="voice"
        )
        if levels.is_silent(wav_T):
            raise InputError("voice is silent: no part of it is louder than -60 dB", field="voice")
        if levels.is_clipped(wav_T):
            raise InputError("voice is badly clipped: record it at a lower level", field="voice")
        created = datetime.datetime.now(datetime.UTC).isoformat()
        seconds = round(len(wav_T) / reading.SAMPLE_RATE, 3)
        voice = Voice(voice_id, name or voice_id, language_code(language), license, seconds, True, created)
        self._keep(voice, writing.encode(wav_T, reading.SAMPLE_RATE, "flac"), overwrite)
        self._listing = None
        return voice

    def _keep(self, voice: Voice, data: bytes, overwrite: bool) -> None:
        old = self._files(voice.id) if overwrite else ()
        recording, description = f"{voice.id}.{uuid.uuid4().hex[:16]}.flac", f"{voice.id}.json"
        text = _description(voice, recording)
        self._storage.make()
        self._storage.write(recording, data)
        if overwrite:
            self._storage.write(description, text)
        else:
            try:
                self._storage.create(description, text)
            except FileExistsError:
                self._remove(recording)
                raise _taken(voice.id) from None
        for file in old:
            self._remove(file)

    def remove(self, voice_id: str) -> None:
        """Forget an enrolled voice with its recording and adapter.

        Raises KeyError for an unknown id, InputError for a built-in one.
        """
        if voice_id in _builtin():
            raise InputError(f"id {voice_id!r} is a built-in voice and cannot be removed", field="id")
        if voice_id not in self._enrolled(fresh=True):
            raise KeyError(voice_id)
        files = self._files(voice_id)
        self._remove(f"{voice_id}.json")
        for file in files:
            self._remove(file)
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

    def _files(self, voice_id: str) -> tuple[str, ...]:
        """The recording and the adapter of a voice; none where no readable description names them."""
        try:
            entry = self._entry(voice_id)
        except KeyError:
            return ()
        adapter = entry.voice.adapter
        return (entry.recording, *([f"{voice_id}.{adapter}.safetensors"] if adapter else []))

    def _entry(self, voice_id: str) -> _Entry:
        """Raises KeyError for an unknown id, and, with a line in the log, for a damaged description."""
        if not _ID.fullmatch(voice_id):
            raise KeyError(voice_id)
        data = self._read(voice_id, f"{voice_id}.json")
        try:
            row = json.loads(data)
            voice = Voice(**{key: value for key, value in row.items() if key in KNOWN})
            recording = row.get("recording", f"{voice_id}.flac")  # its name in the first release
            if not re.fullmatch(rf"{re.escape(voice_id)}(\.[0-9a-f]{{16}})?\.flac", recording):
                raise ValueError(f"recording {recording!r} is not a file of this voice")
            if not re.fullmatch(r"([0-9a-f]{16})?", voice.adapter):
                raise ValueError(f"adapter {voice.adapter!r} is no hash")
            return _Entry(voice, recording)
        except (ValueError, TypeError, AttributeError) as error:
            logger.warning("%s: the description of voice %s is damaged: %s", self.root, voice_id, error)
            raise KeyError(voice_id) from None

    def _read(self, voice_id: str, name: str) -> bytes:
        try:
            return self._storage.read(name)
        except OSError:  # also a folder in its place
            raise KeyError(voice_id) from None

    def _remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._storage.remove(name)


@dataclass(frozen=True)
class _Entry:
    """An enrolled voice and the file of its recording."""

    voice: Voice
    recording: str


KNOWN = frozenset(field.name for field in fields(Voice))


def _description(voice: Voice, recording: str) -> bytes:
    """The json of a voice."""
    return json.dumps({**asdict(voice), "recording": recording}, ensure_ascii=False, indent=1).encode()


def _taken(voice_id: str) -> VoiceTaken:
    return VoiceTaken(f"id {voice_id!r} is taken", field="id")


_BUILTIN: dict[str, Voice] = {}


def _builtin() -> dict[str, Voice]:
    if not _BUILTIN:
        text = (files("speechx") / "assets" / "voices" / "voices.json").read_text(encoding="utf-8")
        _BUILTIN.update({row["id"]: Voice(**row, builtin=True) for row in json.loads(text)})
    return _BUILTIN

"""Prompts: what a task asks of the language model, and their packed form.

A `Prompt` is a task slot, segments (markers, text, codec frames), and what is known about the target. `pack`
lays it out as arrays, in this order: task token, acoustic prompt and markers, text, and then (by the engine
or `collate`) the target. The acoustic prompt comes first so that the keys and values of a known voice are
reused whatever the text.

Shape suffixes: T steps of the packed prompt, F codec frames, K codebooks, G codes of a step (K of them), N phones.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from speechx.models.vocab import FIRST_PHONE, NUM_PHONES, PAD, SYNTHETIC, language_token, task_token

if TYPE_CHECKING:
    from speechx.models.lora import LoRAAdapter

# What a step is; each kind has its own embedding.
FLAG_TOKEN = 0
FLAG_FRAME = 1
FLAG_ALIGNED = 2
FLAG_TARGET = 3
NUM_FLAGS = 4

NO_CODE = -1


@dataclass(frozen=True)
class Token:
    """One marker of speechx.models.vocab."""

    id: int


@dataclass(frozen=True)
class Text:
    """Phones of one language."""

    ids: np.ndarray  # (N,) phone table indices
    language: str


@dataclass(frozen=True)
class Frames:
    """Codec frames of an acoustic prompt.

    `aligned` frames were recorded at the same moments as the target frames: they share its rotary positions.
    Frames with a `cache_key` (a voice) will be asked for again: the engine keeps their keys and values.
    """

    codes_FK: np.ndarray
    aligned: bool = False
    cache_key: str | None = None


Segment = Token | Text | Frames


@dataclass(frozen=True)
class TextTrack:
    """Phones of the target. The pointer runs over [start, stop); the target ends when it reaches stop.

    path_F: the phone of each target frame, where a recording tells; then nobody has to guess the rhythm.
    """

    ids: np.ndarray  # (N,) phone table indices
    start: int
    stop: int
    path_F: np.ndarray | None = None


@dataclass(frozen=True)
class Prompt:
    """What a task asks for: the condition and what is known about the target."""

    slot: int
    segments: tuple[Segment, ...]
    track: TextTrack | None = None
    track_codes_FK: np.ndarray | None = None  # prompt frame of the same moment, added at each target step
    previous_K: np.ndarray | None = None  # frame just before the target (editing)
    frames: int | None = None  # exact length of the target, where known
    adapter: LoRAAdapter | None = None  # of the voice; used in place of the model's own

    @property
    def language(self) -> str | None:
        """Of the output text, which is the last one; None without a text."""
        return next((s.language for s in reversed(self.segments) if isinstance(s, Text)), None)


@dataclass(frozen=True)
class PackedPrompt:
    """A prompt as arrays. The target's first step follows at rotary position `target_position`."""

    tokens_T: np.ndarray  # int64, PAD where the step is a frame
    codes_TG: np.ndarray  # int16, -1 = none
    positions_T: np.ndarray  # int64
    flags_T: np.ndarray  # int64
    target_position: int
    track: TextTrack | None
    track_codes_TG: np.ndarray | None  # int16, by target step
    previous_G: np.ndarray | None
    frames: int | None
    prefix_key: str | None  # content hash of the first prefix_len steps, where they are worth keeping
    prefix_len: int
    adapter: LoRAAdapter | None = None

    def __len__(self) -> int:
        return len(self.tokens_T)


def pack(prompt: Prompt, num_codebooks: int = 8) -> PackedPrompt:
    """Lay a prompt out as arrays.

    Rotary positions count up over task token, markers, plain frames and text; the target starts after them,
    and each aligned segment starts where the target starts. Raises ValueError for a prompt that cannot be
    decoded.
    """
    _check(prompt, num_codebooks)
    tokens: list[np.ndarray] = [np.array([task_token(prompt.slot)])]
    codes = [np.full((1, num_codebooks), NO_CODE, dtype=np.int16)]
    flags = [np.array([FLAG_TOKEN])]
    prefix_len, cacheable = 0, True
    # Text after the acoustic prompt, whatever order the task gave.
    ordered = sorted(prompt.segments, key=lambda s: isinstance(s, Text))
    for segment in ordered:
        if isinstance(segment, Frames):
            rows = segment.codes_FK.astype(np.int16)
            ids = np.full(len(rows), PAD)
            flag = FLAG_ALIGNED if segment.aligned else FLAG_FRAME
        else:
            ids = _token_ids(segment)
            rows = np.full((len(ids), num_codebooks), NO_CODE, dtype=np.int16)
            flag = FLAG_TOKEN
        tokens.append(ids)
        codes.append(rows)
        flags.append(np.full(len(ids), flag))
        keeps = isinstance(segment, Frames) and segment.cache_key is not None and not segment.aligned
        cacheable = cacheable and (keeps or isinstance(segment, Token))
        if cacheable and keeps:
            prefix_len = sum(map(len, tokens))
    tokens_T = np.concatenate(tokens).astype(np.int64)
    codes_TG = np.concatenate(codes)
    flags_T = np.concatenate(flags).astype(np.int64)
    positions_T, target_position = _positions(flags)
    track_codes = prompt.track_codes_FK
    return PackedPrompt(
        tokens_T=tokens_T,
        codes_TG=codes_TG,
        positions_T=positions_T,
        flags_T=flags_T,
        target_position=target_position,
        track=prompt.track,
        track_codes_TG=None if track_codes is None else track_codes.astype(np.int16),
        previous_G=None if prompt.previous_K is None else prompt.previous_K.astype(np.int16),
        frames=prompt.frames,
        prefix_key=_digest(tokens_T[:prefix_len], codes_TG[:prefix_len]) if prefix_len else None,
        prefix_len=prefix_len,
        adapter=prompt.adapter,
    )


def unconditional(prompt: Prompt, frames: int) -> Prompt:
    """The prompt of a target of which nothing is known but the task, where it begins, and, where it follows a recording,
    the frame of the same moment: neither text nor voice, nor what comes later."""
    return Prompt(
        prompt.slot, (), track_codes_FK=prompt.track_codes_FK, previous_K=prompt.previous_K, frames=frames
    )


def marked_synthetic(prompt: Prompt) -> Prompt:
    """The prompt of a training target that a synthesizer spoke. Without the mark, as at use, recorded speech is asked for.

    Synthetic training speech that is not marked lowers the likeness of cloned voices (ZeSTA, 2026).
    """
    return replace(prompt, segments=(Token(SYNTHETIC), *prompt.segments))


def _token_ids(segment: Token | Text) -> np.ndarray:
    if isinstance(segment, Token):
        return np.array([segment.id])
    phones = np.asarray(segment.ids, dtype=np.int64) + FIRST_PHONE
    return np.concatenate([[language_token(segment.language)], phones])


def _positions(flags: list[np.ndarray]) -> tuple[np.ndarray, int]:
    """Rotary position of every step, and of the first target step."""
    target_position = sum(len(f) for f in flags if f[0] != FLAG_ALIGNED)
    positions, at = [], 0
    for part in flags:
        if part[0] == FLAG_ALIGNED:
            positions.append(target_position + np.arange(len(part)))
        else:
            positions.append(at + np.arange(len(part)))
            at += len(part)
    return np.concatenate(positions).astype(np.int64), target_position


def _digest(tokens_T: np.ndarray, codes_TG: np.ndarray) -> str:
    digest = hashlib.blake2b(tokens_T.tobytes(), digest_size=16)
    digest.update(np.ascontiguousarray(codes_TG).tobytes())
    return digest.hexdigest()


def _check(prompt: Prompt, num_codebooks: int) -> None:
    if prompt.track is None and prompt.frames is None:
        raise ValueError("a prompt needs a track or a number of target frames: nothing else ends the target")
    if prompt.frames is not None and prompt.frames < 1:
        raise ValueError(f"frames is {prompt.frames}; a target has at least one frame")
    if prompt.track is not None:
        track = prompt.track
        if not 0 <= track.start < track.stop <= len(track.ids):
            raise ValueError(f"track [{track.start}, {track.stop}) is not inside its {len(track.ids)} phones")
        if track.ids.min() < 0 or track.ids.max() >= NUM_PHONES:
            raise ValueError(f"track has phones outside 0..{NUM_PHONES - 1}")
        if track.path_F is not None and len(track.path_F) != prompt.frames:
            raise ValueError(f"path_F has {len(track.path_F)} frames, the target {prompt.frames}")
    for segment in prompt.segments:
        if isinstance(segment, Frames):
            shape = segment.codes_FK.shape
            if len(shape) != 2 or shape[0] == 0 or shape[1] != num_codebooks:
                raise ValueError(f"frames have shape {shape}; expected (at least 1, {num_codebooks})")
        elif isinstance(segment, Text) and not len(segment.ids):
            raise ValueError("a text segment has no phones")

"""The corpus as tasks see it: `speechx.task.examples.UtterancePool` over an audio pack.

Shapes: T samples at the pool's rate.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from speechx.data.crops import convolve, synthetic_room
from speechx.data.packs import AudioPack, PackRow
from speechx.errors import InputError
from speechx.task.examples import Utterance

if TYPE_CHECKING:
    from speechx.models.codec.base import Codec
    from speechx.text.types import WordTime

MIN_SECONDS = 1.0

GRID_RATE = 25.0
"""Frames per second on which spans lie where no codec is given: test sets are for every codec."""


class PackPool:
    """Utterances, noises and rooms of one split. words: word times by (corpus, id), in addition to the pack.

    rooms: number of simulated rooms; 0: exponential tails, which need no simulator. codec: its sample rate and frame rate
    are those of the pool; None: the pack's, and GRID_RATE.
    """

    def __init__(
        self,
        pack: AudioPack,
        split: str,
        words: dict[tuple[str, str], tuple[WordTime, ...]] | None = None,
        skip: set[tuple[str, str]] | None = None,
        rooms: int = 200,
        codec: Codec | None = None,
    ) -> None:
        self.pack, self.words, self.rooms = pack, words or {}, rooms
        self.sample_rate = pack.sample_rate if codec is None else codec.sample_rate
        self.frame_rate = GRID_RATE if codec is None else codec.frame_rate
        rows = [
            row for row in pack.rows if row.split == split and (row.corpus, row.id) not in (skip or set())
        ]
        self.speech = [row for row in rows if row.speaker is not None and row.seconds >= MIN_SECONDS]
        self.noises = [row for row in rows if row.speaker is None and row.seconds >= 0.5]
        self.by_speaker: dict[str, list[PackRow]] = defaultdict(list)
        for row in self.speech:
            self.by_speaker[str(row.speaker)].append(row)
        self.speakers = sorted(self.by_speaker)

    def utterance(self, row: PackRow) -> Utterance:
        return Utterance(
            id=row.id, wav_T=self._audio(row), text=row.text, language=row.language or "en", speaker=str(row.speaker),
            sample_rate=self.sample_rate, words=self.words.get((row.corpus, row.id)), voice=str(row.speaker),
            synthetic=row.synthetic,
        )  # fmt: skip

    def _audio(self, row: PackRow) -> np.ndarray:
        return self.pack.audio_at(self.sample_rate, row)

    def _pick(self, rows: list[PackRow], rng: np.random.Generator) -> Utterance:
        return self.utterance(rows[int(rng.integers(len(rows)))])

    def same_speaker(self, cut: Utterance, rng: np.random.Generator) -> Utterance | None:
        rows = [row for row in self.by_speaker.get(cut.speaker, []) if row.id != cut.id]
        longer = [row for row in rows if row.seconds >= 2.0]
        return self._pick(longer or rows, rng) if rows else None

    def other_speaker(self, cut: Utterance, rng: np.random.Generator) -> Utterance:
        if len(self.speakers) < 2:
            raise InputError("the corpus has one speaker: nobody else can be mixed in", field="pack")
        # Every speaker is as likely as every other, however much there is of each.
        while (speaker := self.speakers[int(rng.integers(len(self.speakers)))]) == cut.speaker:
            pass
        return self._pick(self.by_speaker[speaker], rng)

    def other_language(self, cut: Utterance, rng: np.random.Generator) -> Utterance | None:
        rows = [
            row
            for row in self.by_speaker.get(cut.speaker, [])
            if row.language != cut.language and row.seconds >= 1.5
        ]
        return self._pick(rows, rng) if rows else None

    def noise(self, rng: np.random.Generator, seconds: float) -> np.ndarray:
        if not self.noises:
            raise InputError("the corpus has no noise: give a folder whose rows have a `kind`", field="pack")
        need, parts, have = round(seconds * self.sample_rate), list[np.ndarray](), 0
        while have < need:
            row = self.noises[int(rng.integers(len(self.noises)))]
            wav_T = self._audio(row)
            start = int(rng.integers(0, max(1, len(wav_T) - need + 1)))
            parts.append(wav_T[start : start + need - have])
            have += len(parts[-1])
        return np.concatenate(parts)[:need]

    def reverberate(self, wav_T: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        rate = self.sample_rate
        room_T = (
            simulated_room(int(rng.integers(self.rooms)), rate) if self.rooms else synthetic_room(rng, rate)
        )
        return convolve(wav_T, room_T)


@functools.lru_cache(maxsize=512)
def simulated_room(number: int, rate: int) -> np.ndarray:
    """Impulse response at a sample rate of a random shoe-box room (image sources), direct path at sample 0 with gain 1.

    RT60 0.15-0.7 s, source 0.5-3 m away. The same number is the same room on every machine.
    """
    import pyroomacoustics

    rng = np.random.default_rng((7, number))
    size = np.array([rng.uniform(3, 8), rng.uniform(3, 6), rng.uniform(2.4, 3.5)])
    rt60 = float(rng.uniform(0.15, 0.7))
    absorption, order = pyroomacoustics.inverse_sabine(max(rt60, 0.2), size)
    room = pyroomacoustics.ShoeBox(
        size, fs=rate, materials=pyroomacoustics.Material(absorption), max_order=min(order, 12)
    )
    mic = size * rng.uniform(0.25, 0.75, 3)
    direction = rng.standard_normal(3)
    source = mic + direction / np.linalg.norm(direction) * rng.uniform(0.5, 3.0)
    room.add_source(np.clip(source, 0.3, size - 0.3))
    room.add_microphone(mic)
    room.compute_rir()
    response_T = np.asarray(room.rir[0][0], np.float32)
    peak = int(np.abs(response_T).argmax())
    return response_T[peak : peak + rate] / response_T[peak]

"""A finished piece of audio, and how chunks become one. Light: no torch. Shapes: T samples."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike

from speechx.pipeline.job import Chunk, Info
from speechx.text.types import WordTime

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Speech", "collect"]


@dataclass(frozen=True, eq=False, repr=False)
class Speech:
    """wav_T: float32 in [-1, 1], mono. words: when each is spoken. info: as in `Chunk`.

    `np.asarray(speech)` is its samples, and any audio field of a task takes it.
    """

    wav_T: np.ndarray
    sample_rate: int
    words: tuple[WordTime, ...] = ()
    info: Info = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return len(self.wav_T) / self.sample_rate

    @property
    def seed(self) -> int | None:
        """With it the same request gives the same audio again, on the same machine."""
        return self.info.get("seed")

    def __repr__(self) -> str:
        words, seed = f", {len(self.words)} words" if self.words else "", self.seed
        return f"<Speech {self.seconds:.2f} s at {self.sample_rate} Hz{words}{'' if seed is None else f', seed {seed}'}>"

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        """The samples (T,), as numpy's protocol has it: they are not copied unless they must be."""
        return np.array(self.wav_T, dtype=dtype, copy=copy)

    def save(self, path: str | os.PathLike[str], format: str | None = None) -> Path:
        """Writes a file, whole or not at all; the format is the suffix's unless given. Raises InputError."""
        from speechx.audio import writing

        format = format or writing.format_of(path)
        wav_T, rate = playable(self.wav_T, self.sample_rate, format)
        return writing.write(path, wav_T, rate, format)

    def encode(self, format: str = "wav") -> bytes:
        """The bytes of a sound file."""
        from speechx.audio import writing

        return writing.encode(*playable(self.wav_T, self.sample_rate, format), format)

    def plot(self, axes: Sequence[Axes] | None = None) -> list[Axes]:
        """Draws the waveform, with its words, and the mel spectrogram with matplotlib. Returns the two axes.

        axes: two of yours, one above the other. Raises InputError without matplotlib.
        """
        from speechx.audio.figures import draw_sound

        return draw_sound(self.wav_T, self.sample_rate, self.words, axes)

    def _repr_html_(self) -> str:
        """In a notebook: a player, the waveform and the spectrogram, and the words."""
        import base64

        from markupsafe import escape

        from speechx.audio.plots import sound_svg

        words = " ".join(
            f'<span title="{word.start:.2f} to {word.end:.2f} s">{escape(word.text)}</span>'
            for word in self.words
        )
        player = base64.b64encode(self.encode()).decode()
        return (
            f'<div style="max-width: 32em"><audio controls src="data:audio/wav;base64,{player}"></audio>'
            f"<p>{words}</p>{sound_svg(self.wav_T, self.sample_rate)}<p>{escape(repr(self))}</p></div>"
        )


def playable(wav_T: np.ndarray, rate: int, format: str) -> tuple[np.ndarray, int]:
    """(samples, rate) that the format can store: opus and mp3 support few rates, of which the next higher one is used."""
    from speechx.audio import reading, writing

    supported = writing.supported_rate(rate, format)
    return (wav_T, rate) if supported == rate else (reading.resample(wav_T, rate, supported), supported)


def collect(chunks: Iterable[Chunk]) -> Speech:
    """The whole of a stream."""
    parts = list(chunks)
    assert parts and parts[-1].final, "the stream has ended without a final chunk"
    wav_T = np.concatenate([c.wav_T for c in parts])
    return Speech(wav_T, parts[-1].sample_rate, parts[-1].words, parts[-1].info)

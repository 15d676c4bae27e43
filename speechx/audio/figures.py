"""Sound drawn with matplotlib, for notebooks and papers. Shapes: T samples, S spectrogram frames, M mel bands."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from speechx.audio.plots import log_mel
from speechx.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_sound"]

RANGE_DB = 70.0
KILOHERTZ = (0.5, 1, 2, 4, 8)


class TimedWord(Protocol):
    """A word and when it is spoken, in seconds."""

    @property
    def text(self) -> str: ...
    @property
    def start(self) -> float: ...
    @property
    def end(self) -> float: ...


def draw_sound(
    wav_T: np.ndarray, rate: int, words: Iterable[TimedWord] = (), axes: Sequence[Axes] | None = None
) -> list[Axes]:
    """Waveform with its words above mel spectrogram, in two axes, which are made if not given. Raises InputError."""
    try:
        import matplotlib.pyplot as plt
    except ModuleNotFoundError as error:
        raise InputError('plot needs matplotlib: pip install "speechx[notebook]"') from error
    if axes is None:
        _, axes = plt.subplots(2, 1, sharex=True, figsize=(10, 4), height_ratios=[1, 2], layout="constrained")
    wave, spectrum = axes
    seconds = len(wav_T) / rate
    wave.plot(np.arange(len(wav_T)) / rate, wav_T, linewidth=0.4)
    wave.set(yticks=[], xlim=(0, seconds))
    for word in words:
        wave.axvline(word.start, linewidth=0.5, color="0.6")
        wave.annotate(
            word.text, (word.start, 1), xycoords=("data", "axes fraction"), xytext=(1, 2), textcoords="offset points",
            rotation=30, fontsize=8,
        )  # fmt: skip
    mel_SM = log_mel(wav_T, rate)
    top, highest = float(mel_SM.max()), min(8000, rate / 2)
    spectrum.imshow(
        mel_SM.T, origin="lower", aspect="auto", cmap="magma", vmin=top - RANGE_DB, vmax=top,
        extent=(0, seconds, 0, mel_SM.shape[1]),
    )  # fmt: skip
    shown = [k for k in KILOHERTZ if 1000 * k <= highest]
    share = [np.log10(1 + 1000 * k / 700) / np.log10(1 + highest / 700) for k in shown]
    spectrum.set_yticks([mel_SM.shape[1] * s for s in share], [f"{k:g}" for k in shown])
    spectrum.set(xlabel="s", ylabel="kHz")
    return [wave, spectrum]

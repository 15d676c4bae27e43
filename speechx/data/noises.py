"""Noises of many kinds, from those of the corpus. Shapes: T samples at the pool's rate, F bins, S frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from speechx.audio.levels import frame_power
from speechx.data.packs import AudioPack
from speechx.data.pools import PackPool

if TYPE_CHECKING:
    from speechx.models.codec.base import Codec
    from speechx.text.types import WordTime

__all__ = ["NoisyPool", "audible_share", "colored", "one_sound"]


class NoisyPool(PackPool):
    """Half of the noises are audible for much of their length, some are colored noise.

    short: share of those that are one short sound in silence.
    """

    def __init__(
        self,
        pack: AudioPack,
        split: str,
        words: dict[tuple[str, str], tuple[WordTime, ...]] | None = None,
        rooms: int = 200,
        short: float = 0.0,
        codec: Codec | None = None,
    ) -> None:
        super().__init__(pack, split, words, rooms=rooms, codec=codec)
        self.short = short

    def noise(self, rng: np.random.Generator, seconds: float) -> np.ndarray:
        if self.short and rng.random() < self.short:
            return one_sound(PackPool.noise(self, rng, seconds), self.sample_rate, rng)
        kind = rng.random()
        if kind < 0.1:
            return colored(round(seconds * self.sample_rate), rng)
        found = [PackPool.noise(self, rng, seconds) for _ in range(1 if kind < 0.5 else 3)]
        return max(found, key=lambda wav_T: audible_share(wav_T, self.sample_rate))


def colored(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Steady noise of a random slope, 0 to -9 dB an octave."""
    spectrum_F = np.fft.rfft(rng.standard_normal(samples))
    bent_F = spectrum_F * np.maximum(np.arange(len(spectrum_F)), 20.0) ** rng.uniform(-1.5, 0)
    wav_T = np.fft.irfft(bent_F, samples)
    return np.asarray(0.05 * wav_T / max(float(wav_T.std()), 1e-9), np.float32)


def one_sound(wav_T: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
    """0.1 to 0.8 s of a noise, about its loudest moment, and silence before and after."""
    size = min(len(wav_T), int(rng.uniform(0.1, 0.8) * rate))
    loudest = int(np.square(wav_T).argmax())
    start = int(np.clip(loudest - rng.uniform(0, 1) * size, 0, len(wav_T) - size))
    fade_T = np.minimum(1, np.minimum(np.arange(size), np.arange(size)[::-1]) / (0.01 * rate))
    out_T = np.zeros_like(wav_T)
    at = int(rng.integers(0, len(wav_T) - size + 1))
    out_T[at : at + size] = wav_T[start : start + size] * fade_T
    return out_T


def audible_share(wav_T: np.ndarray, rate: int) -> float:
    """Share of the 20 ms frames within 30 dB of the loudest tenth."""
    power_S = frame_power(wav_T, rate // 50, dtype=None)
    return float((power_S > 1e-3 * np.quantile(power_S, 0.9) + 1e-9).mean())

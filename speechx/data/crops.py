"""Random crops for codec training: clean, noisy, reverberant, two voices, noise alone.

Item i is made from the random stream (seed, i), so a resumed run continues with exactly the items it would have seen.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.utils.data import Dataset

from speechx.audio import mixing
from speechx.data.packs import FRAME, TEACHER_DIM, AudioPack, PackRow

F0_AHEAD = 2
"""100 Hz frames by which the decoder's source must know F0 before its STFT frame."""


FRAMES_OF_MEAN = 25
"""Of an utterance, from which mean and deviation of the teacher's features are taken."""


def synthetic_room(rng: np.random.Generator, sample_rate: int) -> np.ndarray:
    """A direct path and an exponentially decaying noise tail, RT60 0.15-0.6 s. Cheap, and enough for robustness
    to rooms.
    """
    rt60 = rng.uniform(0.15, 0.6)
    length = int(rt60 * sample_rate)
    tail = rng.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    tail[: int(0.002 * sample_rate)] = 0
    direct_to_reverb = 10 ** (rng.uniform(0, 12) / 20)
    tail *= 1 / (np.linalg.norm(tail) * direct_to_reverb + 1e-9)
    tail[0] = 1.0
    return tail.astype(np.float32)


def convolve(wav_T: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Same length as the input; the direct path stays in place."""
    size = 1 << (len(wav_T) + len(room) - 1).bit_length()
    return np.fft.irfft(np.fft.rfft(wav_T, size) * np.fft.rfft(room, size), size)[: len(wav_T)].astype(
        np.float32
    )


class CropDataset(Dataset):
    """Item: (wav (T,), teacher (F, 512), has_teacher, F0 (4 F,), has_f0). Teacher and F0 are those of the clean speech, also
    where noise was added. F0 is given two frames early: see `speechx.models.codec.excitation`.
    """

    def __init__(
        self,
        pack: AudioPack,
        frames: int,
        items: int,
        seed: int,
        corpus_weights: dict[str, float],
        split: str = "train",
    ) -> None:
        self.pack, self.frames, self.items, self.seed = pack, frames, items, seed
        rows = [row for row in pack.rows if row.split == split]
        self.speech = [row for row in rows if row.speaker is not None and row.seconds > 0.8]
        self.noise = [row for row in rows if row.speaker is None and row.seconds > 0.5]
        weights = np.array([row.seconds * corpus_weights.get(row.corpus, 1.0) for row in self.speech])
        self.cumulative = np.cumsum(weights / weights.sum())
        features = np.concatenate(
            [pack.features(r, 0, min(FRAMES_OF_MEAN, r.teacher[1])) for r in self.speech[::40] if r.teacher]
            or [np.zeros((1, TEACHER_DIM))]
        )
        self.teacher_mean = features.mean(0).astype(np.float32)
        self.teacher_std = (features.std(0) + 1e-3).astype(np.float32)

    def __len__(self) -> int:
        return self.items

    def _speech(self, rng: np.random.Generator) -> tuple[PackRow, int]:
        row = self.speech[min(int(np.searchsorted(self.cumulative, rng.random())), len(self.speech) - 1)]
        spare = row.samples // FRAME - self.frames
        return row, int(rng.integers(0, spare + 1)) if spare > 0 else 0

    def _crop(self, row: PackRow, start: int) -> np.ndarray:
        wav_T = self.pack.audio(row, start, self.frames * FRAME)
        return np.pad(wav_T, (0, self.frames * FRAME - len(wav_T)))

    def _noise(self, rng: np.random.Generator) -> np.ndarray:
        row = self.noise[int(rng.integers(len(self.noise)))]
        need = self.frames * FRAME
        spare = row.samples - need
        wav_T = self.pack.audio(row, int(rng.integers(0, spare + 1)) if spare > 0 else 0, need)
        return np.resize(wav_T, need) if len(wav_T) < need else wav_T

    def __getitem__(self, index: int) -> tuple[torch.Tensor, ...]:
        rng = np.random.default_rng((self.seed, index))
        row, start = self._speech(rng)
        wav_T = self._crop(row, start * FRAME)
        available = min(self.frames, row.teacher[1] - start) if row.teacher else 0
        teacher_FE = np.zeros((self.frames, TEACHER_DIM), np.float32)
        has_teacher = available >= min(self.frames, row.samples // FRAME) and available > 0
        if has_teacher:
            features = self.pack.features(row, start, available)
            teacher_FE[:available] = (features - self.teacher_mean) / self.teacher_std
            has_teacher = available == self.frames
        f0_S = self.pack.tone(row, start * 4 + F0_AHEAD, self.frames * 4)
        kind = rng.random()
        if kind < 0.12:
            wav_T = convolve(wav_T, synthetic_room(rng, self.pack.sample_rate))
        if 0.08 < kind < 0.28 and self.noise:
            wav_T = wav_T + mixing.scaled_to_ratio(wav_T, self._noise(rng), rng.uniform(-5, 20))
        elif 0.28 < kind < 0.36:
            other, at = self._speech(rng)
            wav_T = wav_T + mixing.scaled_to_ratio(wav_T, self._crop(other, at * FRAME), rng.uniform(0, 15))
            has_teacher = False
        elif 0.36 < kind < 0.42 and self.noise:
            wav_T, has_teacher = self._noise(rng), False
            f0_S = np.zeros(self.frames * 4, np.float32)
        peak = float(np.abs(wav_T).max())
        # Levels vary by 18 dB, and never clip.
        gain = 10 ** (rng.uniform(-12, 6) / 20) if rng.random() < 0.5 else 1.0
        wav_T = wav_T * np.float32(min(gain, 0.98 / max(peak, 1e-4)))
        tone_S = torch.from_numpy(np.zeros(self.frames * 4, np.float32) if f0_S is None else f0_S)
        has = torch.tensor([float(has_teacher), float(f0_S is not None)])
        return torch.from_numpy(wav_T), torch.from_numpy(teacher_FE), has[0], tone_S, has[1]

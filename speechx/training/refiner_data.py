"""Training data of the refiner: mixtures with an estimate by the language model, mixed anew, and fresh mixtures without one.

Legend: B batch, T samples, M STFT frames, F bins, N bands, V axes of the voice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F

from speechx.audio import levels, mixing
from speechx.data.noises import NoisyPool, audible_share
from speechx.data.packs import AudioPack, PackRow
from speechx.data.refiner_examples import RefinerExample
from speechx.errors import InputError
from speechx.models.config import StrictConfig
from speechx.models.refiner import Refiner, RefinerConfig, voice_features
from speechx.task import registry

if TYPE_CHECKING:
    from speechx.models.codec.base import Codec
    from speechx.task.examples import Utterance

VOICES, VOICE_SECONDS = 4, 5
"""Enrollments of a speaker that are encoded, and their length; fresh mixtures choose among them."""

EXTRACTION = "target_speaker_extraction"


class RefinerShares(StrictConfig):
    """How often what is drawn. fresh: of the items of a task, those without an estimate by the language model."""

    noise_suppression: float = 0.4
    target_speaker_extraction: float = 0.35
    speech_removal: float = 0.25
    fresh: float = 0.5
    swapped: float = 0.5  # of examples, those whose noise (removal: speech) is another
    nothing: float = 0.1  # items whose estimate is silent
    unheard: float = 0.1  # the same of removal, where the noise is audible a fifth of the time or less
    both: float = (
        0.0  # fresh dry mixtures of two speakers that come twice, each wanted once, if the batch has room
    )
    absent: float = 0.0  # fresh items of extraction without the wanted speaker: the answer is silence
    short: float = 0.0  # of the noises, those that are one short sound in silence
    rooms: int = 100  # simulated ones; the other half of the fresh mixtures has synthetic tails


@dataclass(frozen=True)
class RefinerBatch:
    """(B, T) sounds at the standard level; missing_B: whose estimate has to be made up. task_B: index of the slot."""

    recording_BT: np.ndarray
    estimate_BT: np.ndarray
    target_BT: np.ndarray
    other_BT: np.ndarray
    task_B: np.ndarray
    missing_B: np.ndarray
    voice_BV: np.ndarray

    def kinds(self) -> np.ndarray:
        """(B,) names for the log: the task's index, and f where the mixture is fresh."""
        return np.array([f"{t}{'f' if m else ''}" for t, m in zip(self.task_B, self.missing_B, strict=True)])


@dataclass(frozen=True)
class RefinerItem:
    recording_T: np.ndarray
    other_T: np.ndarray
    target_T: np.ndarray
    estimate_T: np.ndarray | None
    voice_V: np.ndarray | None


class Mixtures:
    """Draws batches; the same generator gives the same batch."""

    def __init__(
        self, pack: str, examples: Sequence[RefinerExample], codec: Codec, net: RefinerConfig,
        shares: RefinerShares, seconds: float,
    ) -> None:  # fmt: skip
        self.codec, self.net, self.shares, self.rate = codec, net, shares, codec.sample_rate
        self.samples = round(seconds * self.rate)
        self.tasks: list[Any] = [t for t in registry.tasks().values() if t.slot in net.slots]
        self.tasks.sort(key=lambda task: net.slots.index(task.slot))
        self.weights = np.array([getattr(shares, task.name) for task in self.tasks])
        audio = AudioPack(pack)
        self.pools = [
            NoisyPool(audio, "train", rooms=rooms, short=shares.short, codec=codec)
            for rooms in {0, shares.rooms}
        ]
        self.speech = [row for row in self.pools[0].speech if row.seconds >= 2]
        if shares.absent and len(self.pools[0].speakers) < 3:
            raise InputError(
                "shares: absent needs three speakers or more in the training split of the pack", field="pack"
            )
        self.examples: dict[str, list[RefinerExample]] = defaultdict(list)
        for example in examples:
            self.examples[example.task].append(example)
        self._voices: dict[int, np.ndarray] = {}  # by the row's place in the pack

    def batch(self, count: int, rng: np.random.Generator) -> RefinerBatch:
        task_B = rng.choice(len(self.tasks), count, p=self.weights / self.weights.sum())
        items = self._items([self.tasks[i] for i in task_B], rng)
        fresh_B = np.array([item.estimate_T is None for item in items])
        silent_B = rng.random(count) < np.where(
            fresh_B & self._short(items, task_B), self.shares.unheard, self.shares.nothing
        )
        missing_B = fresh_B & ~silent_B
        none_T = np.zeros(self.samples, np.float32)
        none_V = np.zeros(self.net.voice_shape, np.float32)
        return RefinerBatch(
            recording_BT=np.stack([item.recording_T for item in items]),
            estimate_BT=np.stack(
                [
                    none_T if silent or item.estimate_T is None else item.estimate_T
                    for silent, item in zip(silent_B, items, strict=True)
                ]
            ),
            target_BT=np.stack([item.target_T for item in items]),
            other_BT=np.stack([item.other_T for item in items]),
            task_B=task_B,
            missing_B=missing_B,
            voice_BV=np.stack([none_V if item.voice_V is None else item.voice_V for item in items]),
        )

    def _items(self, tasks: Sequence[Any], rng: np.random.Generator) -> list[RefinerItem]:
        """One for each task. The second of a pair (`_item`) is that of the next task that hears an enrollment."""
        items: list[RefinerItem] = []
        waiting: RefinerItem | None = None
        for task in tasks:
            if waiting is not None and task.name == EXTRACTION:
                items.append(waiting)
                waiting = None
                continue
            item, second = self._item(task, rng)
            fit = int(rng.integers(2**32)) if self.shares.both else None
            items.append(self._fitted(item, rng if fit is None else np.random.default_rng(fit)))
            if second is not None and waiting is None:
                waiting = self._fitted(
                    second, np.random.default_rng(fit)
                )  # the same stretch, at the same level
        return items

    def _short(self, items: Sequence[RefinerItem], task_B: np.ndarray) -> np.ndarray:
        """(B,) whether the target is a short sound: the language model seldom generates those (docs/log.md)."""
        return np.array(
            [
                self.tasks[i].mask_target == "background" and audible_share(item.target_T, self.rate) < 0.2
                for i, item in zip(task_B, items, strict=True)
            ]
        )

    def _item(self, task: Any, rng: np.random.Generator) -> tuple[RefinerItem, RefinerItem | None]:
        """An item, and with `shares.both` now and then that of the same mixture whose other speaker is wanted."""
        examples = self.examples[task.name]
        if examples and rng.random() >= self.shares.fresh:
            return self._remixed(examples[int(rng.integers(len(examples)))], rng), None
        pool = self.pools[int(rng.integers(len(self.pools)))]
        while (mixed := task.mixture(self._cut(rng), pool, rng)) is None:
            pass
        other_T = mixed.references["noise" if "noise" in mixed.references else "interferer"]
        if "voice" not in mixed.references:
            return RefinerItem(mixed.input_T, other_T, mixed.target_T, None, None), None
        # Where the wanted speaker is the louder one, there is little to learn.
        heard_T = mixed.input_T - other_T
        other_T = other_T * np.float32(10 ** (rng.uniform(0, 8) / 20))
        if self.shares.absent and rng.random() < self.shares.absent:
            none_T = np.zeros_like(mixed.target_T)
            return RefinerItem(
                heard_T + other_T, other_T, none_T, None, self._another_voice(mixed, rng)
            ), None
        voice_V = self._voice(mixed.cut.speaker, rng)
        item = RefinerItem(heard_T + other_T, other_T, mixed.target_T, None, voice_V)
        if not self.shares.both or mixed.meta["reverberant"] or rng.random() >= self.shares.both:
            return item, None
        voice_V = self._voice(mixed.meta["interferer"], rng)
        return item, RefinerItem(item.recording_T, heard_T, other_T, None, voice_V)

    def _cut(self, rng: np.random.Generator) -> Utterance:
        pool = self.pools[0]
        if rng.random() < 0.5:
            row = self.speech[int(rng.integers(len(self.speech)))]
        else:
            rows = pool.by_speaker[pool.speakers[int(rng.integers(len(pool.speakers)))]]
            row = rows[int(rng.integers(len(rows)))]
        cut = pool.utterance(row)
        # An utterance that is its speaker's only one gives the enrollment, too.
        room = self.samples if len(pool.by_speaker[cut.speaker]) > 1 else 3 * self.samples
        return replace(cut, wav_T=mixing.random_crop(cut.wav_T, room, rng), text=None)

    def _another_voice(self, mixed: Any, rng: np.random.Generator) -> np.ndarray:
        """Of a speaker who is not in the mixture."""
        there = {mixed.cut.speaker, mixed.meta.get("interferer")}
        others = [speaker for speaker in self.pools[0].speakers if speaker not in there]
        return self._voice(others[int(rng.integers(len(others)))], rng)

    def _voice(self, speaker: str, rng: np.random.Generator) -> np.ndarray:
        """Of one of a few enrollments, each encoded once."""
        rows = self.pools[0].by_speaker[speaker]
        return self._enrollment(rows[int(rng.integers(VOICES)) * 7919 % len(rows)])

    def two_voices(self, speaker: str, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Enrollments from two utterances of a speaker who has two."""
        rows = self.pools[0].by_speaker[speaker]
        one, other = rng.choice(min(VOICES, len(rows)), 2, replace=False)
        return self._enrollment(rows[one]), self._enrollment(rows[other])

    def _enrollment(self, row: PackRow) -> np.ndarray:
        if row.offset not in self._voices:
            wav_T = self.pools[0].utterance(row).wav_T[: VOICE_SECONDS * self.rate]
            wav_BT = torch.from_numpy(wav_T * np.float32(levels.standard_gain(wav_T, self.rate)))[None]
            codes_FK = self.codec.encode(wav_BT)[0].T.numpy()
            self._voices[row.offset] = voice_features(codes_FK, self.codec, self.net).numpy()
        return self._voices[row.offset]

    def _remixed(self, example: RefinerExample, rng: np.random.Generator) -> RefinerItem:
        """Mixed anew: what disturbs is louder or softer, or is another; the estimate stays."""
        heard_T, other_T = example.recording_T - example.other_T, example.other_T
        target_T, estimate_T, voice_V = example.target_T, example.estimate_T, None
        if example.voice_FK is not None:
            voice_V = voice_features(example.voice_FK, self.codec, self.net).numpy()
        factor = np.float32(10 ** (rng.uniform(-5, 5) / 20))
        swapped = rng.random() < self.shares.swapped
        pool = self.pools[int(rng.integers(len(self.pools)))]
        if registry.task(example.task).mask_target == "background":
            if swapped:
                cut_T = mixing.fit_length(self._cut(rng).wav_T, len(other_T))
                heard_T = mixing.scaled_to_ratio(
                    heard_T, pool.reverberate(cut_T, rng) if rng.random() < 0.5 else cut_T, 0
                )
            heard_T = heard_T * factor
        elif swapped and voice_V is None:
            noise_T = pool.noise(rng, len(other_T) / self.rate)
            other_T = mixing.scaled_to_ratio(heard_T, noise_T[: len(other_T)], rng.uniform(-5, 20))
        else:
            other_T = other_T * (factor if voice_V is None else factor * np.float32(1.4))
        return RefinerItem(heard_T + other_T, other_T, target_T, estimate_T, voice_V)

    def _fitted(self, item: RefinerItem, rng: np.random.Generator) -> RefinerItem:
        """A stretch of each sound, at about the standard level."""
        gain = np.float32(levels.standard_gain(item.recording_T, self.rate) * 10 ** (rng.uniform(-3, 3) / 20))
        at = int(rng.integers(0, max(1, len(item.recording_T) - self.samples + 1)))

        def fitted(wav_T: np.ndarray) -> np.ndarray:
            part_T = wav_T[at : at + self.samples] * gain
            return np.pad(part_T, (0, self.samples - len(part_T))).astype(np.float32)

        return replace(
            item,
            recording_T=fitted(item.recording_T),
            other_T=fitted(item.other_T),
            target_T=fitted(item.target_T),
            estimate_T=None if item.estimate_T is None else fitted(item.estimate_T),
        )


def simulated(
    target_BMF: torch.Tensor, other_BMF: torch.Tensor, net: Refiner, rng: np.random.Generator
) -> torch.Tensor:
    """Simulated estimates (B, M, F) for fresh mixtures: the target's bands with the errors that a language model makes.

    For some stretches the other sound is taken for the target, or another moment of it with the level of this one, or
    there is nothing; then the bands are blurred and bent, and filled with a spectrum of random phases.
    """
    batch, frames, _ = target_BMF.shape
    power_BMN, other_BMN = (
        (x.real.square() + x.imag.square()) @ net.gather_FN for x in (target_BMF, other_BMF)
    )
    confused_BM1, wrong_BM1, lost_BM1 = (
        torch.from_numpy(stretches(batch, frames, most, rng))[..., None] for most in (0.4, 0.6, 0.2)
    )
    shift = int(rng.integers(20, max(21, frames - 20)))
    moved_BMN = power_BMN.roll(shift, 1)
    moved_BMN = moved_BMN * (power_BMN.sum(-1, keepdim=True) / (moved_BMN.sum(-1, keepdim=True) + 1e-6))
    power_BMN = torch.where(wrong_BM1, moved_BMN, power_BMN)
    power_BMN = torch.where(confused_BM1, other_BMN, power_BMN) * torch.where(lost_BM1, 1e-3, 1.0)
    blurred_BMN = F.avg_pool1d(power_BMN.transpose(1, 2), 3, 1, 1, count_include_pad=False).transpose(1, 2)
    coarse = rng.standard_normal((batch, 1, -(-frames // 5), net.config.bands // 6)).astype(np.float32)
    bent_BMN = F.interpolate(torch.from_numpy(coarse), (frames, net.config.bands), mode="bilinear")[:, 0]
    size_B11 = torch.from_numpy(rng.uniform(1, 7, (batch, 1, 1)).astype(np.float32))
    level_B11 = torch.from_numpy(rng.normal(0, 2, (batch, 1, 1)).astype(np.float32))
    blurred_BMN = blurred_BMN * 10 ** ((size_B11 * bent_BMN + level_B11) / 10)
    noise_BMF = torch.from_numpy(rng.standard_normal((2, *target_BMF.shape), np.float32)) * 0.707
    return (blurred_BMN @ net.spread_FN.T).sqrt() * torch.complex(noise_BMF[0], noise_BMF[1])


def stretches(batch: int, frames: int, most: float, rng: np.random.Generator) -> np.ndarray:
    """(B, M) bool: stretches of 0.1 to 0.8 s of each row, up to a share of it, of half of the rows none."""
    out_BM = np.zeros((batch, frames), bool)
    for row_M in out_BM:
        left = rng.uniform(0, most) * frames if rng.random() < 0.5 else 0.0
        while left > 0:
            size = int(rng.integers(6, 50))
            at = int(rng.integers(frames))
            row_M[at : at + size] = True
            left -= size
    return out_BM

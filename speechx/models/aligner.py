"""The aligner: which phone is spoken in which codec frame.

A small ConvNeXt reads the codec's features and gives CTC log-probabilities of phones at 50 Hz or more. It serves forced
alignment for editing, word times, training pointers for the language model, and phone error rates to rank several tries.
CTC puts each phone on one or two steps; a phone is taken to last from half-way to the one before to half-way to the next.

Legend: B batch, F codec frames, H steps of the aligner, S chain states, N phones of a text, P phone table, D latent.
Source: CTC (Graves et al. 2006), its forced alignment (Kürzinger et al. 2020, section 2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import nn

from speechx.models.codec.base import check_codec
from speechx.models.codec.layers import ConvNeXt, Upsample
from speechx.models.config import ModelConfig
from speechx.models.ctc import (
    BLANK,
    PAUSES,
    SILENT,
    STEP_RATE,
    CTCStates,
    greedy_decode,
    phone_errors,
    pointer_of_peaks,
)
from speechx.models.folder import ModelFolder, matrices_on_grid
from speechx.models.lora import AdaptedCopy, LoRAAdapter, LoRAScope, balanced_factors
from speechx.models.running_alignment import RunningAlignment
from speechx.text.types import WordTime

if TYPE_CHECKING:
    from speechx.models.codec.base import Codec
    from speechx.text import PhoneSequence

RICHEST_SECONDS = 4
"""The window in which different phones are counted: a voice may begin or end with a pause."""

ERROR_NATS = 3.0
"""What a phone error weighs beside the likelihood, of tries at the same phones."""


REACH = 3
"""Steps on one side that a block's convolution of 7 reads."""


class AlignerConfig(ModelConfig):
    """Everything that shapes the aligner. frame_rate: of its codec. steps: that it makes of a frame."""

    version: int = 1
    codec_hash: str = ""
    frame_rate: float = 25.0
    steps: int = 2
    phone_table_version: int = 1
    num_phones: int = 384
    latent_dim: int = 112
    dim: int = 224
    blocks: int = 5

    PRESETS: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "default": {},
        "tiny": {"latent_dim": 64, "dim": 32, "blocks": 1},
    }

    @property
    def step_rate(self) -> float:
        """Steps per second."""
        return self.frame_rate * self.steps

    @property
    def context(self) -> int:
        """Frames on one side of a stretch that its phones depend on."""
        late = self.blocks // 2
        return REACH * (self.blocks - late) + -(-REACH * late // self.steps)

    def for_codec(self, codec: Codec) -> AlignerConfig:
        """The same for another codec."""
        return self.model_copy(
            update={
                "codec_hash": codec.hash,
                "latent_dim": codec.feature_dim,
                "frame_rate": codec.frame_rate,
                "steps": max(1, round(STEP_RATE / codec.frame_rate)),
            }
        )


@dataclass(frozen=True)
class Alignment:
    """pointer_F: index into the text's phones spoken in each codec frame, never falling.

    score: mean log-probability a step of the text against that of the best free phone string, <= 0; near 0 the text
    fits. phone_error_rate: of greedy decoding against the text, pauses not counted.
    """

    pointer_F: np.ndarray
    words: tuple[WordTime, ...]
    score: float
    phone_error_rate: float


class Aligner(nn.Module):
    """Features of a codec (B, F, D) -> phone log-probabilities (B, steps F, P).

    adapted: the copy that is used for the languages of its scope.
    """

    def __init__(self, config: AlignerConfig) -> None:
        super().__init__()
        self.config = config
        self.adapted: AdaptedCopy[Aligner] | None = None
        self.enter = nn.Sequential(nn.Linear(config.latent_dim, config.dim), nn.LayerNorm(config.dim))
        half = config.blocks // 2
        self.at_25hz = nn.ModuleList(
            [ConvNeXt(config.dim, depth=config.blocks) for _ in range(config.blocks - half)]
        )
        self.to_50hz = Upsample(config.dim, config.dim, config.steps)
        self.at_50hz = nn.ModuleList([ConvNeXt(config.dim, depth=config.blocks) for _ in range(half)])
        self.out = nn.Sequential(nn.LayerNorm(config.dim), nn.Linear(config.dim, config.num_phones))

    def forward(self, latent_BFD: torch.Tensor) -> torch.Tensor:
        x = self.enter(latent_BFD)
        for block in self.at_25hz:
            x = block(x)
        x = self.to_50hz(x)
        for block in self.at_50hz:
            x = block(x)
        return self.out(x).float().log_softmax(-1)

    def grown(self, blocks: int) -> Aligner:
        """The same function with so many blocks, the new ones without a share in it yet. Raises ValueError for fewer."""
        before = self.config
        config = before.model_copy(update={"blocks": blocks})
        deeper = Aligner(config)
        for name in ("at_25hz", "at_50hz"):
            old, new = getattr(self, name), getattr(deeper, name)
            if len(new) < len(old):
                raise ValueError(
                    f"an aligner of {before.blocks} blocks cannot grow to {blocks}: ask for more"
                )
            for block in new[len(old) :]:
                torch.nn.init.zeros_(block.scale_C)
        found = deeper.load_state_dict(self.state_dict(), strict=False)
        assert not found.unexpected_keys, "a net with a low-rank change has other names"
        return deeper

    def _for_language(self, language: str | None) -> Aligner:
        adapted = self.adapted
        return adapted.network if adapted is not None and language in adapted.scope.languages else self

    @torch.inference_mode()
    def posteriors(self, codes_FK: np.ndarray, codec: Codec) -> np.ndarray:
        """Codes (F, K) -> log-probabilities (steps F, P) float32."""
        codes_BKF = torch.from_numpy(np.ascontiguousarray(codes_FK.T, dtype=np.int64))[None]
        return self(codec.features(codes_BKF))[0].numpy()

    def align(self, codes_FK: np.ndarray, text: PhoneSequence, codec: Codec) -> Alignment:
        """The most likely alignment of a text with codec frames.

        Raises ValueError where the audio is too short to hold the phones.
        """
        logp_HP = self._for_language(text.language).posteriors(codes_FK, codec)
        states = CTCStates.of(text)
        states.check_room(len(logp_HP), self.config.step_rate)
        path_H = states.best_path(logp_HP[:, states.phones_S])
        forced = logp_HP[np.arange(len(path_H)), states.phones_S[path_H]]
        peak_N = states.peaks(path_H)
        return Alignment(
            pointer_F=pointer_of_peaks(peak_N, len(codes_FK), self.config.steps),
            words=word_times(logp_HP, peak_N, text, self.config.step_rate),
            score=float((forced - logp_HP.max(1)).mean()),
            phone_error_rate=_phone_error_rate(logp_HP, text),
        )

    def follow(
        self, text: PhoneSequence, frames: int, read: Callable[[int, int], np.ndarray], codec: Codec
    ) -> RunningAlignment:
        """The alignment of a long recording of so many frames; `read` gives its codes (F, K) of frames [start, stop)."""
        aligner, steps = self._for_language(text.language), self.config.steps

        def posteriors(start: int, stop: int) -> np.ndarray:
            early, late = max(0, start - aligner.config.context), min(frames, stop + aligner.config.context)
            logp_HP = aligner.posteriors(read(early, late), codec)
            return logp_HP[(start - early) * steps : (stop - early) * steps]

        return RunningAlignment(text, frames, posteriors, self.config.frame_rate, steps)

    def phones_per_second(self, codes_FK: np.ndarray, codec: Codec) -> float:
        """Different phones per second in the richest 4 s, each counted by its highest probability.

        Speech has 3 to 8, other sounds fewer.
        """
        prob_HP = np.exp(np.delete(self.posteriors(codes_FK, codec), sorted(SILENT), axis=1))
        rate = self.config.step_rate
        size = min(round(RICHEST_SECONDS * rate), len(prob_HP))
        starts = range(0, len(prob_HP) - size + 1, size // 8 or 1)
        return max(float(prob_HP[at : at + size].max(0).sum()) for at in starts) * rate / size

    def phone_errors(self, codes_FK: np.ndarray, text: PhoneSequence, codec: Codec) -> float:
        """Phone error rate of greedy decoding against the text, silences and pauses not counted."""
        return _phone_error_rate(self._for_language(text.language).posteriors(codes_FK, codec), text)

    @torch.inference_mode()
    def fit(
        self,
        codes_FK: np.ndarray,
        ids_N: np.ndarray,
        language: str | None,
        codec: Codec,
        start: int = 0,
    ) -> float:
        """How well the frames from `start` on fit phones (table indices); higher is better, about 0 the best.

        The log-likelihood of the phones less that of the best free string, less ERROR_NATS for each phone error: the one
        tells apart what is heard as the same phones, the other is not moved by how sure the aligner is. -inf where the
        frames are too few.
        """
        aligner = self._for_language(language)
        early = max(0, start - aligner.config.context)
        logp_HP = aligner.posteriors(codes_FK[early:], codec)[(start - early) * self.config.steps :]
        steps, phones = torch.tensor([len(logp_HP)]), torch.tensor([len(ids_N)])
        loss = torch.nn.functional.ctc_loss(
            torch.from_numpy(logp_HP)[:, None], torch.from_numpy(ids_N.astype(np.int64))[None], steps, phones,
            blank=BLANK, reduction="none",
        )  # fmt: skip
        ratio = -float(loss[0]) - float(logp_HP.max(1).sum())
        return ratio - ERROR_NATS * phone_errors(ids_N, greedy_decode(logp_HP))

    def save(self, folder: str | Path) -> None:
        """Writes a model folder (speechx.models.folder), without the adapted copy."""
        ALIGNER_FOLDER.write(folder, self.config, self.state_dict())

    def save_adapter(self, folder: str | Path, languages: tuple[str, ...], step: float = 0.0) -> None:
        """Writes the LoRA factors of an adapted aligner beside the weights that `save` wrote there before.

        step: grid of the factors, see `on_grid`.
        """
        factors = matrices_on_grid(balanced_factors(self), step)
        ALIGNER_FOLDER.write_adapter(folder, LoRAAdapter(LoRAScope(languages), factors))

    @classmethod
    def load(cls, folder: str | Path, adapter: bool = True) -> Aligner:
        """Reads what `save` wrote, with its adapter or without. Raises InputError for what is missing or does not fit."""
        model, found = ALIGNER_FOLDER.load(folder, cls, adapter)
        if found is not None:
            model.adapted = AdaptedCopy.of(model, found)
        return model


ALIGNER_FOLDER = ModelFolder("speechx-aligner", AlignerConfig, "aligner")


def _phone_error_rate(logp_HP: np.ndarray, text: PhoneSequence) -> float:
    spoken = sum(phone not in PAUSES for phone in text.phones)
    return phone_errors(text.ids, greedy_decode(logp_HP)) / max(1, spoken)


def load_aligner(folder: str | Path, codec: Codec) -> Aligner:
    """The aligner of a folder, for its codec. Raises InputError where it was trained on another one."""
    aligner = Aligner.load(folder)
    check_codec("aligner", aligner.config.codec_hash, codec)
    return aligner


SILENCE_COST = 0.6
"""Nats by which a step of silence must be likelier than one of the phone before or after."""

RELEASE_SECONDS = 0.04
"""A word goes on so long after its last peak at least, if no other begins: a final stop is released after it."""


def word_times(
    logp_HP: np.ndarray, peak_N: np.ndarray, text: PhoneSequence, rate: float
) -> tuple[WordTime, ...]:
    """Start and end in seconds of each word, from log-probabilities (H, P) and the middles of the text's phones.

    rate: steps per second.

    CTC puts a phone on one or two steps in its middle and blanks on the rest, which says little about where it ends. So
    this is the best path on which each step belongs to a phone, or to silence between words. The unknown phone of a letter
    without a reading, whose id is the blank's, is as likely as the mean phone at every step.
    """
    states = CTCStates.without_blanks(text)
    score_HP = logp_HP.copy()
    score_HP[:, BLANK] = -np.inf
    score_HP -= np.logaddexp.reduce(score_HP, 1, keepdims=True)
    score_HP[:, BLANK] = -np.log(score_HP.shape[1] - 1)
    score_HS = score_HP[:, states.phones_S]
    score_HS[:, ::2] = np.logaddexp(logp_HP[:, BLANK], logp_HP[:, states.phones_S[0]])[:, None] - SILENCE_COST
    for word in text.words:
        score_HS[:, 2 * word.start + 2 : 2 * word.stop : 2] = -np.inf
    phone_H = np.where((path_H := states.best_path(score_HS)) % 2 == 1, path_H // 2, -1)
    times: list[WordTime] = []
    limit = float(len(logp_HP))
    for word in reversed(text.words):
        steps = np.flatnonzero((word.start <= phone_H) & (phone_H < word.stop))
        last = peak_N[word.stop - 1]
        after = peak_N[word.stop] if word.stop < len(peak_N) else limit
        start, end = (
            float(steps[0]),
            max(steps[-1], min((last + after) / 2, last + RELEASE_SECONDS * rate)) + 1,
        )
        times.append(WordTime(word.text, round(start / rate, 3), round(float(min(end, limit)) / rate, 3)))
        limit = start
    return tuple(reversed(times))

"""The aligner: which phone is spoken in which codec frame.

A small ConvNeXt reads the codec's quantised latents and gives CTC log-probabilities of phones at 50 Hz. It serves forced
alignment for editing, word times, training pointers for the language model, and phone error rates to rank several tries.
CTC puts each phone on one or two steps; a phone is taken to last from half-way to the one before to half-way to the next.

Legend: B batch, F codec frames (25 Hz), H half frames (50 Hz), S chain states, N phones of a text, P phone table, D latent.
Source: CTC (Graves et al. 2006), its forced alignment (Kürzinger et al. 2020, section 2).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import nn

from speechx.models.codec.layers import ConvNeXt, Upsample
from speechx.models.config import ModelConfig
from speechx.models.folder import ModelFolder, matrices_on_grid
from speechx.models.lora import AdaptedCopy, LoRAAdapter, LoRAScope, balanced_factors
from speechx.text.phones import PHONE_IDS
from speechx.text.types import WordTime

if TYPE_CHECKING:
    from speechx.models.codec.spectral import SpectralCodec
    from speechx.text import PhoneSequence

SILENCE = 1
"""Index of "_" in the phone table."""

STEPS_PER_FRAME = 2

CONTEXT = 16
"""Frames before a stretch that its first phones are heard by: more than the layers see."""

ERROR_NATS = 3.0
"""What a phone error weighs beside the likelihood, of tries at the same phones."""


class AlignerConfig(ModelConfig):
    """Everything that shapes the aligner."""

    version: int = 1
    codec_hash: str = ""
    phone_table_version: int = 1
    num_phones: int = 384
    latent_dim: int = 112
    dim: int = 224
    blocks: int = 5

    PRESETS: ClassVar[Mapping[str, Mapping[str, object]]] = {
        "default": {},
        "tiny": {"latent_dim": 64, "dim": 32, "blocks": 1},
    }


@dataclass(frozen=True)
class Alignment:
    """pointer_F: index into the text's phones spoken in each codec frame, never falling.

    score: mean log-probability a step of the text against that of the best free phone string, <= 0; near 0 the text
    fits.
    """

    pointer_F: np.ndarray
    words: tuple[WordTime, ...]
    score: float


class Aligner(nn.Module):
    """Quantized latents (B, F, D) -> phone log-probabilities (B, 2 F, P).

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
        self.to_50hz = Upsample(config.dim, config.dim, STEPS_PER_FRAME)
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

    def _for_language(self, language: str | None) -> Aligner:
        adapted = self.adapted
        return adapted.network if adapted is not None and language in adapted.scope.languages else self

    @torch.inference_mode()
    def posteriors(self, codes_FK: np.ndarray, codec: SpectralCodec) -> np.ndarray:
        """Codes (F, K) -> log-probabilities (2 F, P) float32."""
        codes_BKF = torch.from_numpy(np.ascontiguousarray(codes_FK.T, dtype=np.int64))[None]
        return self(features(codes_BKF, codec))[0].numpy()

    def align(self, codes_FK: np.ndarray, text: PhoneSequence, codec: SpectralCodec) -> Alignment:
        """The most likely alignment of a text with codec frames.

        Raises ValueError where the audio is too short to hold the phones.
        """
        logp_HP = self._for_language(text.language).posteriors(codes_FK, codec)
        chain = Chain.of(text)
        if chain.shortest() > len(logp_HP):
            raise ValueError(
                f"the text has {len(text.ids)} phones, too many for {len(codes_FK) / 25:.2f} s of audio: "
                "they don't belong together"
            )
        path_H = chain.best_path(logp_HP[:, chain.phones_S])
        forced = logp_HP[np.arange(len(path_H)), chain.phones_S[path_H]]
        peak_N = chain.peaks(path_H, len(text.ids))
        # Phone n is spoken from half-way to the peak before to half-way to the peak after.
        start_N = np.concatenate([[0], np.ceil((peak_N[:-1] + peak_N[1:]) / 2)])
        middle_F = np.arange(len(codes_FK)) * STEPS_PER_FRAME + (STEPS_PER_FRAME - 1) / 2
        pointer_F = np.searchsorted(start_N, middle_F, side="right") - 1
        return Alignment(
            pointer_F=pointer_F.astype(np.int32),
            words=word_times(peak_N, text),
            score=float((forced - logp_HP.max(1)).mean()),
        )

    def phone_errors(self, codes_FK: np.ndarray, text: PhoneSequence, codec: SpectralCodec) -> float:
        """Phone error rate of what is heard freely against the text, silences and pauses not counted."""
        heard = free_phones(self._for_language(text.language).posteriors(codes_FK, codec))
        return spoken_errors(text.ids, heard) / max(1, sum(phone not in PAUSES for phone in text.phones))

    @torch.inference_mode()
    def fit(
        self,
        codes_FK: np.ndarray,
        ids_N: np.ndarray,
        language: str | None,
        codec: SpectralCodec,
        start: int = 0,
    ) -> float:
        """How well the frames from `start` on say phones (table indices); higher is better, about 0 the best.

        The log-likelihood of the phones less that of the best free string, less ERROR_NATS for each phone error: the one
        tells apart what is heard as the same phones, the other is not moved by how sure the aligner is. -inf where the
        frames are too few.
        """
        early = max(0, start - CONTEXT)
        hears = self._for_language(language)
        logp_HP = hears.posteriors(codes_FK[early:], codec)[(start - early) * STEPS_PER_FRAME :]
        steps, phones = torch.tensor([len(logp_HP)]), torch.tensor([len(ids_N)])
        loss = torch.nn.functional.ctc_loss(
            torch.from_numpy(logp_HP)[:, None], torch.from_numpy(ids_N.astype(np.int64))[None], steps, phones,
            blank=BLANK, reduction="none",
        )  # fmt: skip
        ratio = -float(loss[0]) - float(logp_HP.max(1).sum())
        return ratio - ERROR_NATS * spoken_errors(ids_N, free_phones(logp_HP))

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

BLANK = 0
"""Entry "<unk>" of the phone table serves as CTC's blank: no training text has it."""

WORD_EDGE = 4
"""Steps (80 ms) that a word may begin before its first peak or last after its last one; further away is silence."""


def features(codes_BKF: torch.Tensor, codec: SpectralCodec) -> torch.Tensor:
    """Codes (B, K, F) -> what the aligner reads of them (B, F, D): the semantic entry and the decoder's input."""
    semantic_BFD = codec.semantic_quantizer.lookup(codes_BKF[:, 0])
    return torch.cat([semantic_BFD, codec.latent(codes_BKF).float()], -1)


@dataclass(frozen=True)
class Chain:
    """CTC's states of a text: blank, phone, blank, phone, ... blank.

    phones_S: phone table index; optional_S: the state may be skipped (a blank not between two equal phones).
    """

    phones_S: np.ndarray
    optional_S: np.ndarray

    @classmethod
    def of(cls, text: PhoneSequence) -> Chain:
        phones_S = np.full(2 * len(text.ids) + 1, BLANK)
        phones_S[1::2] = text.ids
        optional_S = np.zeros(len(phones_S), bool)
        optional_S[::2] = True
        optional_S[2:-1:2] = text.ids[:-1] != text.ids[1:]
        return cls(phones_S, optional_S)

    def shortest(self) -> int:
        """Steps that the states which cannot be skipped need."""
        return int((~self.optional_S).sum())

    def best_path(self, score_HS: np.ndarray) -> np.ndarray:
        """State of each step (H,) on the best path (Viterbi)."""
        steps, states = score_HS.shape
        best_S = np.full(states, -np.inf)
        best_S[0] = score_HS[0, 0]
        if self.optional_S[0] and states > 1:
            best_S[1] = score_HS[0, 1]
        skip_S = np.full(states, -np.inf)
        skip_S[2:] = np.where(self.optional_S[1:-1], 0.0, -np.inf)
        back_HS = np.zeros((steps, states), np.int8)
        moves_3S = np.full((3, states), -np.inf)
        columns = np.arange(states)
        for step in range(1, steps):
            moves_3S[0] = best_S
            moves_3S[1, 1:] = best_S[:-1]
            moves_3S[2, 2:] = best_S[:-2] + skip_S[2:]
            back_HS[step] = moves_3S.argmax(0)
            best_S = moves_3S[back_HS[step], columns] + score_HS[step]
        last = states - 1
        if states > 1 and self.optional_S[-1] and best_S[-2] > best_S[-1]:
            last = states - 2
        path_H = np.empty(steps, np.int64)
        for step in range(steps - 1, -1, -1):
            path_H[step] = last
            last -= int(back_HS[step, last])
        return path_H

    def peaks(self, path_H: np.ndarray, count: int) -> np.ndarray:
        """Middle step of each phone on a path, (N,) float, strictly rising."""
        phone_H = np.where(path_H % 2 == 1, path_H // 2, -1)
        return np.array([np.flatnonzero(phone_H == n).mean() for n in range(count)])


PAUSES = frozenset({"_", ",", ".", "?", "!", ";", ":"})

SILENT = frozenset({BLANK, *(PHONE_IDS[phone] for phone in PAUSES if phone in PHONE_IDS)})
"""Table entries that are no sound. Pauses are heard at will: errors are counted without them."""


def word_times(peak_N: np.ndarray, text: PhoneSequence) -> tuple[WordTime, ...]:
    """Start and end in seconds of each word, from the middles of its phones."""
    times = []
    for word in text.words:
        first, last = peak_N[word.start], peak_N[word.stop - 1]
        before = peak_N[word.start - 1] if word.start else first - 2 * WORD_EDGE
        after = peak_N[word.stop] if word.stop < len(peak_N) else last + 2 * WORD_EDGE
        start, end = max((before + first) / 2, first - WORD_EDGE), min((last + after) / 2, last + WORD_EDGE)
        times.append(WordTime(word.text, round(max(0.0, start + 0.5) / 50, 3), round((end + 0.5) / 50, 3)))
    return tuple(times)


def free_phones(score_HP: np.ndarray) -> list[int]:
    """The best phone of every step, repeats merged, blanks taken out."""
    best_H = score_HP.argmax(1)
    keep_H = np.ones(len(best_H), bool)
    keep_H[1:] = best_H[1:] != best_H[:-1]
    return best_H[keep_H & (best_H != BLANK)].tolist()


def spoken_errors(wanted: Iterable[int], heard: Iterable[int]) -> int:
    """Phone errors of what is heard, silences and pauses not counted."""
    said, other = ([int(i) for i in phones if int(i) not in SILENT] for phones in (wanted, heard))
    return edit_distance(said, other)


def edit_distance(a: list[int], b: list[int]) -> int:
    """Levenshtein distance."""
    row = np.arange(len(b) + 1)
    b_array = np.array(b)
    for i, item in enumerate(a, 1):
        change = np.minimum(row[:-1] + (b_array != item), row[1:] + 1)
        new = np.concatenate([[i], change])
        # Insertions: the running minimum of (value - index) carries them along the row.
        row = np.minimum.accumulate(new - np.arange(len(new))) + np.arange(len(new))
    return int(row[-1])

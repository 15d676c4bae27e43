"""Training batches of the language model: packed prompts, targets, and the pointer's path over the phones.

Shape suffixes: B examples, T steps, F codec frames, S target steps, G codes of a step, N target steps of a
batch.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import torch
from torch import Tensor

from speechx.models.lm.config import LMConfig
from speechx.models.lm.prompt import FLAG_TARGET, NO_CODE, PackedPrompt, TextTrack
from speechx.models.vocab import BOS, NUM_PHONES, PAD

IGNORE = -100  # a target without loss
NO_PHONE = -1  # a step without a track
PAST_END = NUM_PHONES  # looked-ahead phone after the last one
LOOKAHEAD = 3  # phones of the track that a target step sees: the pointer's and the next two


@dataclass(frozen=True)
class TrainExample:
    """One training pair.

    pointer_F is the phone index of each target frame, None for a prompt without a track.
    """

    packed: PackedPrompt
    target_FK: np.ndarray
    pointer_F: np.ndarray | None = None

    def __len__(self) -> int:
        """Steps of the whole sequence."""
        return len(self.packed) + len(self.target_FK)


@dataclass
class LMBatch:
    """Right-padded sequences. Padded steps come last, so causal attention needs no mask."""

    tokens_BT: Tensor  # PAD = none
    codes_BTG: Tensor  # -1 = none; in the target, the codes of the step before
    positions_BT: Tensor
    flags_BT: Tensor
    track_phones_BT3: Tensor  # -1 = no track, NUM_PHONES = past the end
    track_age_BT: Tensor  # frames spent on the phone before this step; -1 = no track
    track_codes_BT2G: Tensor | None  # None where no example of the batch has them
    target_codes_BTG: Tensor  # -100 where no loss
    target_advance_BT: Tensor  # -100 where no loss
    target_index_N: Tensor  # flat indices (in B * T) of the target steps
    # Of a part of a larger batch: how many target steps that one has, and which of them these are.
    whole_steps: int | None = None
    whole_index_N: Tensor | None = None

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Self:
        moved = copy.copy(self)
        for field in fields(self):
            if isinstance(value := getattr(self, field.name), Tensor):
                setattr(moved, field.name, value.to(device, non_blocking=non_blocking))
        return moved

    @property
    def num_steps(self) -> int:
        """Steps of the batch, padding included."""
        return self.tokens_BT.numel()


def legal_pointer(pointer_S: np.ndarray, track: TextTrack, max_advance: int) -> tuple[np.ndarray, np.ndarray]:
    """The pointer path that decoding can take, nearest to an alignment: (pointer_S, advance_S).

    Decoding starts at track.start and moves at most `max_advance` phones a step; where the alignment jumps
    further the path catches up over the next steps. The last advance leads to track.stop, or as near as one
    step can.
    """
    legal = np.empty(len(pointer_S), dtype=np.int64)
    at = track.start
    for i, wanted in enumerate(pointer_S.tolist()):
        if i:
            at = max(at, min(wanted, at + max_advance, track.stop - 1))
        legal[i] = at
    advance = np.diff(legal, append=min(track.stop, at + max_advance))
    return legal, advance


def track_inputs(pointer_S: np.ndarray, track: TextTrack) -> tuple[np.ndarray, np.ndarray]:
    """Phones a target step sees, (S, 3), and the frames already spent on the pointer's phone, (S,)."""
    ahead = np.full(len(track.ids) + LOOKAHEAD, PAST_END, dtype=np.int64)
    ahead[: len(track.ids)] = track.ids
    phones = ahead[pointer_S[:, None] + np.arange(LOOKAHEAD)]
    first = np.concatenate([[0], 1 + np.flatnonzero(np.diff(pointer_S))])
    runs = np.diff(first, append=len(pointer_S))
    age = np.arange(len(pointer_S)) - np.repeat(first, runs)
    return phones, age


def collate(examples: Sequence[TrainExample], config: LMConfig, steps: int = 0) -> LMBatch:
    """Lay examples out side by side in their order. steps: pad to at least so many.

    Raises ValueError for one longer than config.max_positions.
    """
    B, G = len(examples), config.num_codebooks
    T = max([steps, *map(len, examples)])
    if config.max_positions < T:
        raise ValueError(f"an example has {T} steps; the model takes at most {config.max_positions}")
    tokens = np.full((B, T), PAD, dtype=np.int64)
    codes = np.full((B, T, G), NO_CODE, dtype=np.int64)
    positions = np.zeros((B, T), dtype=np.int64)
    flags = np.zeros((B, T), dtype=np.int64)
    phones = np.full((B, T, LOOKAHEAD), NO_PHONE, dtype=np.int64)
    age = np.full((B, T), NO_PHONE, dtype=np.int64)
    has_track_codes = any(e.packed.track_codes_TG is not None for e in examples)
    track_codes = np.full((B, T, 2, G), NO_CODE, dtype=np.int64) if has_track_codes else None
    target = np.full((B, T, G), IGNORE, dtype=np.int64)
    advance = np.full((B, T), IGNORE, dtype=np.int64)
    index = []
    for b, example in enumerate(examples):
        packed = example.packed
        target_SG = example.target_FK.astype(np.int16)
        P, S = len(packed), len(target_SG)
        at = slice(P, P + S)
        tokens[b, :P], codes[b, :P] = packed.tokens_T, packed.codes_TG
        positions[b, :P], flags[b, :P] = packed.positions_T, packed.flags_T
        codes[b, P + 1 : P + S] = target_SG[:-1]
        if packed.previous_G is None:
            tokens[b, P] = BOS
        else:
            codes[b, P] = packed.previous_G
        positions[b, at] = packed.target_position + np.arange(S)
        flags[b, at] = FLAG_TARGET
        target[b, at] = np.where(target_SG == NO_CODE, IGNORE, target_SG)
        index.append(b * T + P + np.arange(S))
        if packed.track is not None:
            assert example.pointer_F is not None, "an example with a track needs the pointer of each frame"
            pointer_S, advance[b, at] = legal_pointer(example.pointer_F, packed.track, config.max_advance)
            phones[b, at], age[b, at] = track_inputs(pointer_S, packed.track)
            if packed.frames is not None:
                advance[b, P + S - 1] = IGNORE  # the length ends this target, not the pointer
        if track_codes is not None and packed.track_codes_TG is not None:
            _place_recording(track_codes[b, at], packed.track_codes_TG)
    return LMBatch(
        tokens_BT=torch.from_numpy(tokens),
        codes_BTG=torch.from_numpy(codes),
        positions_BT=torch.from_numpy(positions),
        flags_BT=torch.from_numpy(flags),
        track_phones_BT3=torch.from_numpy(phones),
        track_age_BT=torch.from_numpy(age),
        track_codes_BT2G=None if track_codes is None else torch.from_numpy(track_codes),
        target_codes_BTG=torch.from_numpy(target),
        target_advance_BT=torch.from_numpy(advance),
        target_index_N=torch.from_numpy(np.concatenate(index)),
    )


def _place_recording(target_S2G: np.ndarray, codes_TG: np.ndarray) -> None:
    """Writes the recording's frame of the same moment, and the next one, beside each target step."""
    rows = codes_TG[: len(target_S2G) + 1]
    target_S2G[: len(rows), 0] = rows[: len(target_S2G)]
    target_S2G[: len(rows) - 1, 1] = rows[1:]

"""Drawing codes from logits: temperature and top-p per codebook, repetition-aware sampling, seeds.

Every draw takes its random number from the sequence's own stream and inverts the cumulative distribution, so a
sequence's codes depend on its seed alone, not on what else is in the batch.

Shape suffixes: N sequences, V code values, W window of the last codes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from speechx.engine import kernels

DRAW_BLOCK = 256  # steps of random numbers drawn at once


@dataclass(frozen=True)
class SamplingParams:
    """How a sequence is decoded.

    temperature, top_p: of the first (semantic) codebook; fine_*: of the others, None = the same.
    advance_temperature: of the pointer's advance, that is, of the rhythm. repetition_window,
    repetition_threshold: a first code that makes up more than this share of the last `window` ones is drawn
    again from the whole distribution (VALL-E 2); a window of 0 turns it off. guidance: how far the first
    code's logits are pushed away from those of a step that knows only the frames before (classifier-free
    guidance; 1 = not at all); only a model trained with condition_dropout has such a step, for others it is
    left out. fine_guidance: the same for the other codes, for which the local transformer runs a second time.
    guidance_knows: "recording" where that step knows the recording's frame of the same moment, too, so that text and
    voice alone are pushed (for models trained with recording_dropout; left out for others).
    max_phone_frames: no phone lasts longer, pauses apart; the model's own limit holds, too.
    max_pace: frames that a spoken phone takes at most on average; pace_slack more are free.
    max_frames: hard limit of the target. deadline: a time.monotonic() value after which the sequence ends.
    """

    temperature: float = 0.8
    top_p: float = 0.9
    fine_temperature: float | None = None
    fine_top_p: float | None = None
    advance_temperature: float = 0.8
    seed: int = 0
    greedy: bool = False
    repetition_window: int = 10
    repetition_threshold: float = 0.4
    guidance: float = 1.0
    fine_guidance: float = 1.0
    guidance_knows: Literal["frames", "recording"] = "frames"
    max_phone_frames: int | None = None
    max_pace: float | None = None
    pace_slack: int = 12
    max_frames: int = 1500
    deadline: float | None = None

    def __post_init__(self) -> None:
        for name in ("temperature", "fine_temperature", "advance_temperature"):
            value = getattr(self, name)
            if value is not None and not 0 < value <= 10:
                raise ValueError(f"{name} is {value}; it must be above 0 and at most 10")
        for name in ("top_p", "fine_top_p"):
            value = getattr(self, name)
            if value is not None and not 0 < value <= 1:
                raise ValueError(f"{name} is {value}; it must be above 0 and at most 1")
        for name in ("guidance", "fine_guidance"):
            if not 1 <= getattr(self, name) <= 10:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be in 1..10")
        if self.guidance_knows not in ("frames", "recording"):
            raise ValueError(f"guidance_knows is {self.guidance_knows!r}; it must be 'frames' or 'recording'")
        if self.max_phone_frames is not None and self.max_phone_frames < 1:
            raise ValueError(f"max_phone_frames is {self.max_phone_frames}; it must be at least 1")
        if self.max_pace is not None and self.max_pace < 1:
            raise ValueError(f"max_pace is {self.max_pace}; it must be at least 1")
        if self.max_frames < 1:
            raise ValueError(f"max_frames is {self.max_frames}; it must be at least 1")
        if self.repetition_window < 0 or self.repetition_threshold < 0:
            raise ValueError("repetition_window and repetition_threshold must not be negative")


class UniformStream:
    """A sequence's stream of uniform random numbers, one row a step. The same seed gives the same rows."""

    def __init__(self, seed: int, columns: int) -> None:
        self._generator = np.random.Generator(np.random.Philox(seed))
        self._columns = columns
        self._rows = np.empty((0, columns), dtype=np.float32)
        self._next = 0

    def row(self) -> np.ndarray:
        if self._next == len(self._rows):
            self._rows = self._generator.random((DRAW_BLOCK, self._columns), dtype=np.float32)
            self._next = 0
        self._next += 1
        return self._rows[self._next - 1]


def draw(logits_NV: Tensor, uniform_N1: Tensor, temperature_N1: Tensor, top_p_N1: Tensor | None) -> Tensor:
    """One value per row, (N,) int64, from the smallest set of likeliest values that holds top_p, by inverse CDF."""
    if logits_NV.device.type == "cpu":
        top_p_N1 = torch.ones_like(uniform_N1) if top_p_N1 is None else top_p_N1
        uniform, temperature, top_p = (
            column[:, 0].contiguous().numpy() for column in (uniform_N1, temperature_N1, top_p_N1)
        )
        chosen_N = np.empty(len(logits_NV), np.int64)
        kernels.draw(logits_NV.contiguous().numpy(), uniform, temperature, top_p, chosen_N)
        return torch.from_numpy(chosen_N)
    probs_NV = (logits_NV / temperature_N1).softmax(-1)
    order_NV = probs_NV.argsort(dim=-1, descending=True)
    cumulative_NV = probs_NV.gather(-1, order_NV).cumsum(-1)
    last_N1 = torch.full_like(uniform_N1, logits_NV.shape[-1] - 1, dtype=torch.int64)
    if top_p_N1 is not None:
        last_N1 = torch.searchsorted(cumulative_NV, top_p_N1).minimum(last_N1)
    mass_N1 = cumulative_NV.gather(-1, last_N1)
    at_N1 = torch.searchsorted(cumulative_NV, uniform_N1 * mass_N1, right=True).minimum(last_N1)
    return order_NV.gather(-1, at_N1).squeeze(-1)


class BatchSampler:
    """The sampling settings of the sequences that decode together, as tensors.

    Rebuilt when the batch changes.
    """

    def __init__(self, params: Sequence[SamplingParams], device: torch.device | str = "cpu") -> None:
        def column(values: Sequence[float]) -> Tensor:
            return torch.tensor(values, dtype=torch.float32, device=device)[:, None]

        self.greedy_N = torch.tensor([p.greedy for p in params], device=device)
        self.all_greedy = all(p.greedy for p in params)
        self.any_greedy = any(p.greedy for p in params)
        self.first = (column([p.temperature for p in params]), column([p.top_p for p in params]))
        fine = [p.temperature if p.fine_temperature is None else p.fine_temperature for p in params]
        fine_p = [p.top_p if p.fine_top_p is None else p.fine_top_p for p in params]
        self.fine = (column(fine), column(fine_p))
        self.advance = column([p.advance_temperature for p in params])
        self.windows = [0 if p.greedy else p.repetition_window for p in params]
        limits = [p.repetition_threshold * p.repetition_window for p in params]
        self.limits_N = torch.tensor(limits, dtype=torch.float32, device=device)
        self.checks_repetition = any(self.windows)

    def choose(self, logits_NV: Tensor, uniform_N1: Tensor, kind: tuple[Tensor, Tensor | None]) -> Tensor:
        """Codes (N,): drawn, or the likeliest for greedy sequences."""
        if self.all_greedy:
            return logits_NV.argmax(-1)
        drawn_N = draw(logits_NV, uniform_N1, *kind)
        if self.any_greedy:
            return torch.where(self.greedy_N, logits_NV.argmax(-1), drawn_N)
        return drawn_N

    def choose_first(
        self, logits_NV: Tensor, uniform_N1: Tensor, again_N1: Tensor, recent_NW: Tensor
    ) -> Tensor:
        """First codes (N,), repetition-aware; recent_NW holds the codes before, -1 where there is none."""
        chosen_N = self.choose(logits_NV, uniform_N1, self.first)
        if not self.checks_repetition:
            return chosen_N
        count_N = (recent_NW == chosen_N[:, None]).sum(-1)
        repeats_N = (count_N > self.limits_N) & ~self.greedy_N
        if repeats_N.any():
            wide_N = draw(logits_NV, again_N1, self.first[0], None)
            chosen_N = torch.where(repeats_N, wide_N, chosen_N)
        return chosen_N

    def choose_advance(self, logits_NA: Tensor, uniform_N1: Tensor) -> Tensor:
        return self.choose(logits_NA, uniform_N1, (self.advance, None))

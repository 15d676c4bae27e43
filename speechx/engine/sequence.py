"""A sequence: the decoding state of one prompt in the engine, and the output of a step.

Shape suffixes: F frames, K codebooks, G codes of a step, D width.
"""

from copy import copy
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from speechx.engine.sampling import SamplingParams, UniformStream
from speechx.engine.text_pointer import TextPointer
from speechx.models.lm.prompt import NO_CODE, PackedPrompt
from speechx.models.vocab import BOS, PAD

__all__ = ["Reason", "Sequence", "StepOutput"]

Reason = Literal["stop", "length", "deadline"]


@dataclass
class StepOutput:
    """New frames of one sequence. pointer_F is the phone of each frame, -1 without a track."""

    id: int
    codes_FK: np.ndarray  # int16
    pointer_F: np.ndarray  # int32
    finished: bool = False
    reason: Reason | None = None
    waits: bool = False  # at a stop: see Engine.resume


class Sequence:
    """Decoding state of one prompt."""

    def __init__(
        self, id: int, packed: PackedPrompt, params: SamplingParams, pointer: TextPointer | None, G: int
    ) -> None:
        self.id, self.packed, self.params, self.pointer = id, packed, params, pointer
        self.draws = UniformStream(params.seed, G + 2)
        self.frames = 0
        self.steps = 0
        self.limit = params.max_frames if packed.frames is None else min(packed.frames, params.max_frames)
        self.token = BOS if packed.previous_G is None else PAD
        self.codes_G = np.full(G, NO_CODE, dtype=np.int16) if packed.previous_G is None else packed.previous_G
        self.recent = np.full(params.repetition_window, NO_CODE, dtype=np.int64)
        self.track_D: torch.Tensor | None = None
        self.guided = False  # whether it has an unconditional twin (speechx.engine.decoding)
        self.adapter: str | None = None  # name of the LoRA adapter that applies to it (speechx.models.lora)
        self.twin_follows = False  # whether the twin follows the recording, too
        self.stops: tuple[int, ...] = ()  # phones at which it waits
        self.filled = 0  # steps of the prompt that its slot holds

    def copy_state(self, other: "Sequence") -> None:
        """Takes the state of another sequence of the same prompt; keeps its own random numbers."""
        self.frames, self.steps, self.token, self.codes_G = (
            other.frames,
            other.steps,
            other.token,
            other.codes_G,
        )
        self.recent, self.track_D, self.stops = other.recent.copy(), other.track_D, other.stops
        self.pointer = copy(other.pointer)

    def stops_here(self) -> bool:
        """Whether its pointer has reached the next stop; true once per stop."""
        if not self.stops or self.pointer is None or self.pointer.at < self.stops[0]:
            return False
        self.stops = tuple(stop for stop in self.stops if stop > self.pointer.at)
        return True

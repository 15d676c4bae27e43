"""The refiner: gains for a recording and for the generated estimate of its target, frame by frame.

    features of the recording -> encode, `ahead` frames in front of the output (the recording is all there)
    + features of the estimate up to `look` frames later -> fuse -> gains of both, in each bin

It is trained on estimates of the language model (speechx.training.refiner), so it learns how far to trust them. Both inputs
are at the recording's standard level. Spectra have square-root Hann windows at half overlap.

Legend: B batch, M STFT frames (16 ms), F bins, N bands, V what is known of a voice (`voice_shape`), H width, X features of a
frame.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechx.models.folder import ModelFolder, matrices_on_grid
from speechx.models.lora import AdaptedCopy, LoRAAdapter, LoRAScope, balanced_factors
from speechx.models.refiner.config import RefinerConfig, to_bins

State: TypeAlias = Tensor | None
"""Of recurrent layers after a piece; None before the first."""


class Refiner(nn.Module, ABC):
    """Spectra -> gains. `forward` over a whole recording, or `encode` and `fuse` in pieces.

    feature_dim: X. hidden_dim: H of what `encode` gives. silence: a feature of nothing.
    """

    feature_dim: int
    hidden_dim: int
    silence: float
    lora_matrices: tuple[str, ...]
    """Prefixes of the matrices that an adapter changes."""

    spread_FN: Tensor
    gather_FN: Tensor

    def __init__(self, config: RefinerConfig) -> None:
        super().__init__()
        self.config = config
        self.adapted: AdaptedCopy[Refiner] | None = None
        spread_FN = torch.from_numpy(to_bins(config.bands, config.bins))
        self.register_buffer("spread_FN", spread_FN, persistent=False)
        self.register_buffer("gather_FN", spread_FN / spread_FN.sum(0), persistent=False)

    def for_slot(self, slot: int) -> Refiner:
        """The net for a task: the adapted copy for tasks of its scope, else this one."""
        adapted = self.adapted
        return adapted.network if adapted is not None and slot in adapted.scope.slots else self

    @abstractmethod
    def features(self, spectrum_BMF: Tensor) -> Tensor:
        """Complex (B, M, F) -> (B, M, X), of about -1..1."""

    @abstractmethod
    def condition(self, task_B: Tensor, voice_BV: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs of `encode` and `fuse` (B, 1, ..) from the task (index in `slots`) and the target voice (B, *voice_shape).

        A voice of zeros is an unknown one."""

    @abstractmethod
    def encode(
        self, recording_BMX: Tensor, condition_B1H: Tensor, state: State = None
    ) -> tuple[Tensor, State]:
        """Hidden states of the recording (B, M, H), and the state to go on with."""

    @abstractmethod
    def fuse(
        self, encoded_BMH: Tensor, recording_BMX: Tensor, estimate_BMX: Tensor, later_BMX: Tensor, condition_B1H: Tensor,
        state: State = None,
    ) -> tuple[Tensor, Tensor, State]:  # fmt: skip
        """Gains of the recording and of the estimate in each bin, (B, M, F) each, real or complex, and the state.

        encoded: hidden states `ahead` frames later. later: the estimate `look` frames later.
        """

    def forward(
        self, recording_BMF: Tensor, estimate_BMF: Tensor, task_B: Tensor, voice_BV: Tensor
    ) -> Tensor:
        """Spectra of the recording and of the estimate -> the spectrum of the output, (B, M, F) each, complex."""
        ahead, look = self.config.ahead, self.config.look
        recording_BMX, estimate_BMX = self.features(recording_BMF), self.features(estimate_BMF)
        condition_in, condition_fused = self.condition(task_B, voice_BV)
        encoded_BMH, _ = self.encode(F.pad(recording_BMX, (0, 0, 0, ahead), value=self.silence), condition_in)
        later_BMX = F.pad(estimate_BMX[:, look:], (0, 0, 0, look), value=self.silence)
        gain_BMF, added_BMF, _ = self.fuse(
            encoded_BMH[:, ahead:], recording_BMX, estimate_BMX, later_BMX, condition_fused
        )
        return gain_BMF * recording_BMF + added_BMF * estimate_BMF

    # Files

    def save(self, folder: str | Path, step: float = 0.0) -> None:
        """Writes a model folder (speechx.models.folder), without the adapted copy. step: grid of matrices, see `on_grid`."""
        REFINER_FOLDER.write(folder, self.config, matrices_on_grid(self.state_dict(), step))

    def save_adapter(self, folder: str | Path, slots: tuple[int, ...], step: float = 0.0) -> None:
        """Writes the LoRA factors of an adapted net beside the weights that are there, for the tasks of `slots`.

        step: grid of the factors, see `on_grid`.
        """
        factors = matrices_on_grid(balanced_factors(self), step)
        REFINER_FOLDER.write_adapter(folder, LoRAAdapter(LoRAScope(slots=slots), factors))


REFINER_FOLDER = ModelFolder("speechx-refiner", RefinerConfig, "refiner")

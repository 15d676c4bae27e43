"""Recipes of the language model (configs/lm)."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from speechx.models.config import StrictConfig
from speechx.models.lora import LM_MATRICES


class LMTrainConfig(StrictConfig):
    """One recipe. shares: part of each task slot in the batches; missing slots are left out."""

    preset: str = "mini"
    model: dict[str, object] = {}
    seed: int = 1
    steps: int = 20000
    batch_steps: int = 3000
    max_length: int = 900
    optimizer: Literal["adamw", "muon"] = "adamw"
    muon_steps: int = 5  # of Newton-Schulz; 3 cost a CPU less and are near enough
    lr: float = 1.5e-3
    lr_final: float = 1e-4
    warmup: int = 300
    weight_decay: float = 0.05
    betas: tuple[float, float] = (0.9, 0.98)
    clip: float = 1.0
    ema: float = 0.998
    bf16: bool = True
    compile: bool = False
    anneal_minutes: float = (
        0.0  # with a value: the rate is down, and the run over, after so many minutes or `steps`
    )
    shares: dict[int, float] = {}
    code_noise: float = 0.02
    aligned_noise: float = 0.0  # code_noise for targets that follow a recording
    new_codebooks: int = 0  # the last so many codebooks are new since the stage to start from
    rank: int = 0  # of a LoRA adapter of a finished model, which alone is trained then
    adapted: tuple[str, ...] = LM_MATRICES  # prefixes of the matrices that the adapter changes
    grid: float = 0.0  # of the adapter's factors in the file, see speechx.models.folder.on_grid
    languages: tuple[
        str, ...
    ] = ()  # of the output text: the scope of the adapter (speechx.models.lora); empty: any
    slots: tuple[int, ...] = ()  # of the tasks in scope; empty: any
    patience: int = (
        0  # with a value: ends after so many evaluations without a better one, and keeps the best weights
    )
    workers: int = 0
    log_every: int = 50
    eval_every: int = 500
    eval_batches: int = 12


class PreferenceConfig(LMTrainConfig):
    """A recipe of the language model with what preferences need.

    beta: how soon a margin is enough. codes: of a frame, how many count in what is said; the first one and the pointer say
    the words. tries_steps: budget of a batch of tries. plain_weight: of the loss of ordinary pairs. dev_requests: the first
    so many requests are measured, and not learned from.

    All weights are trained, and the shape is that of the finished model, so a recipe has no `preset`, `rank`, `languages`,
    `slots` or `patience`.
    """

    beta: float = 0.1
    codes: int = 8
    tries_steps: int = 3000
    plain_weight: float = 1.0
    dev_requests: int = 0

    @model_validator(mode="after")
    def _no_adapter(self) -> PreferenceConfig:
        for name in ("preset", "rank", "languages", "slots", "patience"):
            if name in self.model_fields_set:
                raise ValueError(f"{name}: a recipe of preferences has none")
        return self

"""The optimizers of a language model run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from speechx.training.lm import LMTrainConfig


def optimizers(model: nn.Module, config: LMTrainConfig) -> list[torch.optim.Optimizer]:
    """AdamW; with `muon`, Muon (Jordan et al. 2024) for the matrices of the transformer blocks and AdamW for the rest.

    Muon's updates are scaled to the size of AdamW's (Liu et al. 2025, section 2.2), so one learning rate serves both.
    """
    parameters = {n: p for n, p in model.named_parameters() if p.requires_grad}
    inner = {
        n for n, p in parameters.items() if "blocks." in n and p.ndim == 2 and config.optimizer == "muon"
    }
    rest = [p for n, p in parameters.items() if n not in inner]
    groups = [
        {"params": [p for p in rest if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0},
    ]
    opts: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(groups, lr=config.lr, betas=config.betas, fused=True)
    ]
    if inner:
        opts.append(
            torch.optim.Muon(
                [parameters[n] for n in sorted(inner)],
                lr=config.lr,
                weight_decay=config.weight_decay,
                adjust_lr_fn="match_rms_adamw",
                ns_steps=config.muon_steps,
            )
        )
    return opts

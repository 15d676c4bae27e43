"""The optimizers of a language model run."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn


def optimizers(
    model: nn.Module,
    kind: Literal["adamw", "muon"],
    *,
    lr: float,
    betas: tuple[float, float],
    weight_decay: float,
    muon_steps: int,
) -> list[torch.optim.Optimizer]:
    """AdamW; with kind `muon`, Muon (Jordan et al. 2024) for the matrices of the transformer blocks and AdamW for the rest.

    Muon's updates are scaled to the size of AdamW's (Liu et al. 2025, section 2.2), so one learning rate serves both.
    muon_steps: Newton-Schulz iterations.
    """
    parameters = {n: p for n, p in model.named_parameters() if p.requires_grad}
    inner = {n for n, p in parameters.items() if "blocks." in n and p.ndim == 2 and kind == "muon"}
    rest = [p for n, p in parameters.items() if n not in inner]
    groups = [
        {"params": [p for p in rest if p.ndim >= 2], "weight_decay": weight_decay},
        {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0.0},
    ]
    opts: list[torch.optim.Optimizer] = [torch.optim.AdamW(groups, lr=lr, betas=betas, fused=True)]
    if inner:
        opts.append(
            torch.optim.Muon(
                [parameters[n] for n in sorted(inner)],
                lr=lr,
                weight_decay=weight_decay,
                adjust_lr_fn="match_rms_adamw",
                ns_steps=muon_steps,
            )
        )
    return opts

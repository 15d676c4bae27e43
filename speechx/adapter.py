"""Low-rank changes of a model's matrices (LoRA, Hu et al. 2021): what fine-tuning learns, in a fiftieth of the numbers.

A model folder may hold `adapter.safetensors` beside its weights: for each changed matrix two factors, NAME.up (.., M, r) and
NAME.down (.., r, N), whose product is added when the folder is loaded. So a tuned model costs a repository a fraction of
a megabyte instead of another set of weights, and runs as fast as one that never was tuned.

Shape suffixes: M rows, N columns of a matrix, r rank.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from speechx.model import CodecLMCore

UP, DOWN = ".up", ".down"


class LowRank(nn.Module):
    """Gives a frozen matrix plus the product of its factors, which is zero at first."""

    def __init__(self, matrix_MN: Tensor, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        *batch, M, N = matrix_MN.shape
        self.down = nn.Parameter(torch.randn(*batch, rank, N, generator=generator) * N**-0.5)
        self.up = nn.Parameter(torch.zeros(*batch, M, rank))

    def forward(self, matrix_MN: Tensor) -> Tensor:
        return matrix_MN + self.up @ self.down


ALL = ("blocks.", "local_blocks.", "first_head.", "advance_head.", "local_in.", "local_heads")
"""The blocks and the heads, not the tables of codes and phones."""


def adapt(core: CodecLMCore, rank: int, seed: int = 1, parts: tuple[str, ...] = ALL) -> list[nn.Parameter]:
    """Freezes the model and gives its matrices low-rank changes, in place; the new parameters.

    parts: how the names of the matrices begin. Raises ValueError where none does.
    """
    names = [name for name, p in core.named_parameters() if p.ndim >= 2 and name.startswith(parts)]
    if not names:
        raise ValueError(f"no matrix of the model begins with any of {', '.join(parts)}")
    core.requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    for name in names:
        owner, _, field = name.rpartition(".")
        module = core.get_submodule(owner)
        change = LowRank(getattr(module, field), rank, generator).to(getattr(module, field).device)
        parametrize.register_parametrization(module, field, change)
    return [p for p in core.parameters() if p.requires_grad]


def factors(core: CodecLMCore) -> dict[str, Tensor]:
    """NAME.up and NAME.down of every matrix of an adapted model."""
    found: dict[str, Tensor] = {}
    for owner, module in core.named_modules():
        if isinstance(module, LowRank):
            name = owner.replace("parametrizations.", "").removesuffix(".0")
            found[name + UP], found[name + DOWN] = module.up.detach(), module.down.detach()
    return found


def merge(core: CodecLMCore, tensors: dict[str, Tensor]) -> None:
    """Adds the products of factors to a plain model's matrices, in place. Raises ValueError where they do not fit."""
    parameters = dict(core.named_parameters())
    names = {key.removesuffix(UP).removesuffix(DOWN) for key in tensors}
    with torch.no_grad():
        for name in sorted(names):
            up, down, matrix = tensors.get(name + UP), tensors.get(name + DOWN), parameters.get(name)
            if up is None or down is None or matrix is None:
                raise ValueError(f"the adapter has half of {name}, or the model has no such matrix")
            if (*up.shape[:-1], down.shape[-1]) != matrix.shape or up.shape[-1] != down.shape[-2]:
                raise ValueError(
                    f"the adapter's {name} does not have the model's shape {tuple(matrix.shape)}"
                )
            matrix.add_((up.float() @ down.float()).to(matrix))

"""Low-rank adaptation (LoRA, Hu et al. 2021) of the language model, the aligner and the refiner.

A model folder may hold `adapter.safetensors` beside its weights. For each adapted matrix it has two factors, NAME.up
(.., M, r) and NAME.down (.., r, N), whose product is added to the matrix.

An adapter without a scope is merged into the weights at loading. An adapter with a `LoRAScope` is used for requests of its
languages and tasks only, row by row of a batch (S-LoRA, Sheng et al. 2023); all other requests get the base model's bits.

Shape suffixes: M rows, N columns of a matrix, r rank, T steps.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from speechx.models.vocab import FIRST_LANGUAGE, FIRST_PHONE, language_token, task_token
from speechx.text.languages import LANGUAGES

UP, DOWN = ".up", ".down"
ALL = ("blocks.", "local_blocks.", "first_head.", "advance_head.", "local_in.", "local_heads")
"""The blocks and the heads, not the tables of codes and phones."""


@dataclass(frozen=True)
class LoRAScope:
    """Where a change holds: of which languages is what is to be said, and which slots have the tasks. Empty: any. Where
    nothing is to be said, no language is asked for.

    Raises ValueError for a language or a slot that the vocabulary does not have.
    """

    languages: tuple[str, ...] = ()
    slots: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for language in self.languages:
            language_token(language)
        for slot in self.slots:
            task_token(slot)

    def __bool__(self) -> bool:
        return bool(self.languages or self.slots)

    def as_dict(self) -> dict[str, list[str] | list[int]]:
        return {name: list(values) for name, values in asdict(self).items()}

    def holds(self, tokens_T: np.ndarray) -> bool:
        """Of a packed prompt's tokens: the task is the first, what is to be said the last text."""
        if self.slots and tokens_T[0] not in [task_token(slot) for slot in self.slots]:
            return False
        told = tokens_T[(tokens_T >= FIRST_LANGUAGE) & (tokens_T < FIRST_PHONE)]
        if not self.languages or not len(told):
            return True
        return LANGUAGES[told[-1] - FIRST_LANGUAGE] in self.languages


@dataclass(frozen=True)
class LoRAAdapter:
    """A change that is not added to the weights but used where its scope holds."""

    scope: LoRAScope
    tensors: dict[str, Tensor]  # NAME.up, NAME.down

    def of(self, name: str) -> tuple[Tensor, Tensor] | None:
        """Up (M, r) and down (r, N) of one matrix; None where it stays as it is."""
        found = self.tensors.get(name + UP), self.tensors.get(name + DOWN)
        return None if found[0] is None or found[1] is None else (found[0], found[1])


class LoRAParametrization(nn.Module):
    """Gives a frozen matrix plus the product of its factors, which is zero at first."""

    def __init__(self, matrix_MN: Tensor, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        *batch, M, N = matrix_MN.shape
        self.down = nn.Parameter(torch.randn(*batch, rank, N, generator=generator) * N**-0.5)
        self.up = nn.Parameter(torch.zeros(*batch, M, rank))

    def forward(self, matrix_MN: Tensor) -> Tensor:
        return matrix_MN + self.up @ self.down


def adapt(core: nn.Module, rank: int, seed: int = 1, parts: tuple[str, ...] = ALL) -> list[nn.Parameter]:
    """Freezes the model and gives its matrices, not its convolutions, low-rank changes, in place; the new parameters.

    parts: how the names of the matrices begin. Raises ValueError where none does.
    """
    names = [
        name
        for name, p in core.named_parameters()
        if p.ndim >= 2 and name.startswith(parts) and not name.endswith("conv.weight")
    ]
    if not names:
        raise ValueError(f"no matrix of the model begins with any of {', '.join(parts)}")
    core.requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    for name in names:
        owner, _, field = name.rpartition(".")
        module = core.get_submodule(owner)
        change = LoRAParametrization(getattr(module, field), rank, generator).to(
            getattr(module, field).device
        )
        parametrize.register_parametrization(module, field, change)
    for module in core.modules():
        if isinstance(module, nn.RNNBase):
            module.register_forward_pre_hook(_look_again)
    return [p for p in core.parameters() if p.requires_grad]


def _look_again(module: nn.RNNBase, inputs: object) -> None:
    """A recurrent layer reads its matrices from a list that it made when they were set."""
    module._flat_weights = [getattr(module, name) for name in module._flat_weights_names]


def begin(core: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Lets an adapted model begin with the factors of another change, as near to it as its rank allows."""
    for name, change in _changes(core):
        if name + UP not in tensors:
            continue
        up, down = balanced(tensors[name + UP], tensors[name + DOWN])
        r = min(change.up.shape[-1], up.shape[-1])
        with torch.no_grad():
            change.up[..., :r], change.down[..., :r, :] = up[..., :r], down[..., :r, :]


def balanced(up: Tensor, down: Tensor) -> tuple[Tensor, Tensor]:
    """Factors of the same product, by its singular values, the largest first, half of each in either factor.

    So the first few are the best of a lower rank, and rounding to a coarse grid loses the least.
    """
    left, size, right = torch.linalg.svd(up.float() @ down.float(), full_matrices=False)
    r = up.shape[-1]
    root = size[..., :r].sqrt()
    return left[..., :r] * root[..., None, :], root[..., None] * right[..., :r, :]


def _changes(core: nn.Module) -> Iterator[tuple[str, LoRAParametrization]]:
    for owner, module in core.named_modules():
        if isinstance(module, LoRAParametrization):
            yield owner.replace("parametrizations.", "").removesuffix(".0"), module


def factors(core: nn.Module) -> dict[str, Tensor]:
    """NAME.up and NAME.down of every matrix of an adapted model, as trained."""
    found: dict[str, Tensor] = {}
    for name, change in _changes(core):
        found[name + UP], found[name + DOWN] = change.up.detach(), change.down.detach()
    return found


def stored(core: nn.Module) -> dict[str, Tensor]:
    """`factors`, balanced: what a file holds."""
    found: dict[str, Tensor] = {}
    for name, change in _changes(core):
        up, down = balanced(change.up.detach(), change.down.detach())
        found[name + UP], found[name + DOWN] = up.contiguous(), down.contiguous()
    return found


def check(core: nn.Module, tensors: dict[str, Tensor], scope: LoRAScope | None = None) -> list[str]:
    """The names of the matrices that the factors change. Raises ValueError where they do not fit the model's, or are none of
    those that can be changed for some requests alone."""
    parameters = dict(core.named_parameters())
    names = sorted({key.removesuffix(UP).removesuffix(DOWN) for key in tensors})
    for name in names:
        if scope and not name.startswith(ALL):
            raise ValueError(f"{name} cannot be changed for some languages or tasks alone")
        up, down, matrix = tensors.get(name + UP), tensors.get(name + DOWN), parameters.get(name)
        if up is None or down is None or matrix is None:
            raise ValueError(f"the adapter has half of {name}, or the model has no such matrix")
        if (*up.shape[:-1], down.shape[-1]) != matrix.shape or up.shape[-1] != down.shape[-2]:
            raise ValueError(f"the adapter's {name} does not have the model's shape {tuple(matrix.shape)}")
    return names


def merge(core: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Adds the products of factors to a plain model's matrices, in place. Raises ValueError where they do not fit."""
    parameters = dict(core.named_parameters())
    with torch.no_grad():
        for name in check(core, tensors):
            matrix = parameters[name]
            matrix.add_((tensors[name + UP].float() @ tensors[name + DOWN].float()).to(matrix))

"""Low-rank adaptation (LoRA, Hu et al. 2021) of the language model, the aligner and the refiner.

A model folder may hold `adapter.safetensors` beside its weights. For each adapted matrix it has two factors, NAME.up
(.., M, r) and NAME.down (.., r, N), whose product is added to the matrix.

An adapter for a language that the model was not made with has a row for that language's token, too.

An adapter without a scope is merged into the weights at loading. An adapter with a `LoRAScope` is used for requests of its
languages and tasks only, row by row of a batch (S-LoRA, Sheng et al. 2023); all other requests get the base model's bits.

Shape suffixes: M rows, N columns of a matrix, r rank, T steps.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from speechx.models.config import JSONObject
from speechx.models.vocab import FIRST_LANGUAGE, FIRST_PHONE, language_token, task_token
from speechx.text.languages import language_at

UP, DOWN = ".up", ".down"
LANGUAGE_ROW = "language.row"
"""Of an adapter for a language that was added: its row of the token table, (D,)."""

LM_MATRICES = ("blocks.", "local_blocks.", "first_head.", "advance_head.", "local_in.", "local_heads")
"""Of the language model: the blocks and the heads, not the tables of codes and phones."""


@dataclass(frozen=True)
class LoRAScope:
    """The requests that an adapter is used for: languages of the output text, and task slots. Empty: any.

    A request without a text has no language; it is in scope if its task is. Raises ValueError for a language or a slot that
    the vocabulary does not have.
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

    @classmethod
    def from_dict(cls, values: object) -> LoRAScope:
        """Raises TypeError or ValueError for what `to_dict` did not make."""
        if not isinstance(values, Mapping):
            raise TypeError("it must have languages and slots")
        return cls(**{name: tuple(items) for name, items in values.items()})

    def to_dict(self) -> JSONObject:
        return {name: list(items) for name, items in asdict(self).items()}

    def covers(self, other: LoRAScope) -> bool:
        """Whether it holds every request that the other scope holds."""
        pairs = ((self.languages, other.languages), (self.slots, other.slots))
        return all(not mine or (bool(its) and set(its) <= set(mine)) for mine, its in pairs)

    def meets(self, other: LoRAScope) -> bool:
        """Whether some request is in both scopes."""
        pairs = ((self.languages, other.languages), (self.slots, other.slots))
        return all(not mine or not its or set(mine) & set(its) for mine, its in pairs)

    def holds(self, tokens_T: np.ndarray) -> bool:
        """Whether a packed prompt is in scope: its first token is the task, its last language token the output's."""
        if self.slots and tokens_T[0] not in [task_token(slot) for slot in self.slots]:
            return False
        languages = tokens_T[(tokens_T >= FIRST_LANGUAGE) & (tokens_T < FIRST_PHONE)]
        if not self.languages or not len(languages):
            return True
        return language_at(int(languages[-1]) - FIRST_LANGUAGE) in self.languages


@dataclass(frozen=True)
class LoRAAdapter:
    """Factors NAME.up and NAME.down of the adapted matrices, and the scope that they are used in.

    name: tells it from the others in an engine; that of a model's own is "".
    """

    scope: LoRAScope = field(default_factory=LoRAScope)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    name: str = ""

    def factors(self, name: str) -> tuple[Tensor, Tensor] | None:
        """Up (M, r) and down (r, N) of one matrix; None for a matrix that is not adapted."""
        found = self.tensors.get(name + UP), self.tensors.get(name + DOWN)
        return None if found[0] is None or found[1] is None else (found[0], found[1])

    @property
    def rank(self) -> int:
        """The largest of its matrices; 0 where it adapts none."""
        return max((value.shape[-1] for name, value in self.tensors.items() if name.endswith(UP)), default=0)

    def language_row(self) -> tuple[int, Tensor] | None:
        """Token and row (D,) of the language that was added with this adapter; None without one."""
        row = self.tensors.get(LANGUAGE_ROW)
        return None if row is None else (language_token(self.scope.languages[0]), row)


Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class AdaptedCopy(Generic[Network]):
    """A copy of a network with an adapter merged in, for the requests in scope."""

    scope: LoRAScope
    network: Network

    @classmethod
    def of(cls, network: Network, adapter: LoRAAdapter) -> AdaptedCopy[Network]:
        """Raises ValueError where the factors do not fit the network."""
        adapted = copy.deepcopy(network)
        merge_lora(adapted, adapter.tensors)
        return cls(adapter.scope, adapted.eval())


class LoRAParametrization(nn.Module):
    """A frozen matrix plus the product of its trained factors, which is zero at first."""

    def __init__(self, matrix_MN: Tensor, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        *batch, M, N = matrix_MN.shape
        self.down = nn.Parameter(torch.randn(*batch, rank, N, generator=generator) * N**-0.5)
        self.up = nn.Parameter(torch.zeros(*batch, M, rank))

    def forward(self, matrix_MN: Tensor) -> Tensor:
        return matrix_MN + self.up @ self.down


class LanguageRow(nn.Module):
    """A frozen token table (V, D) in which the row of one token is trained."""

    def __init__(self, table_VD: Tensor, token: int) -> None:
        super().__init__()
        self.token = token
        self.row = nn.Parameter(table_VD[token].detach().clone())

    def forward(self, table_VD: Tensor) -> Tensor:
        return torch.cat([table_VD[: self.token], self.row[None], table_VD[self.token + 1 :]])


def add_language_row(model: nn.Module, token: int) -> LanguageRow:
    """Trains the row of a language's token beside the factors of `add_lora`, in place."""
    table = model.get_submodule("embed")
    weight = table.get_parameter("weight")
    row = LanguageRow(weight, token).to(weight.device)
    parametrize.register_parametrization(table, "weight", row)
    weight.requires_grad_(False)
    return row


def find_language_row(model: nn.Module) -> LanguageRow | None:
    """What `add_language_row` added."""
    return next((module for module in model.modules() if isinstance(module, LanguageRow)), None)


def start_language_row(model: nn.Module, token: int) -> None:
    """Sets the row that `add_language_row` added to that of another token."""
    row = find_language_row(model)
    assert row is not None
    with torch.no_grad():
        row.row.copy_(model.get_parameter("embed.parametrizations.weight.original")[token])


def add_lora(
    model: nn.Module, rank: int, seed: int = 1, matrices: tuple[str, ...] = LM_MATRICES
) -> list[nn.Parameter]:
    """Freezes the model and adds low-rank factors to its matrices (not its convolutions), in place; the new parameters.

    matrices: prefixes of their names. Raises ValueError where no matrix has one of them.
    """
    names = [
        name
        for name, p in model.named_parameters()
        if p.ndim >= 2 and name.startswith(matrices) and not name.endswith("conv.weight")
    ]
    if not names:
        raise ValueError(f"no matrix of the model begins with any of {', '.join(matrices)}")
    model.requires_grad_(False)
    generator = torch.Generator().manual_seed(seed)
    for name in names:
        owner, _, attribute = name.rpartition(".")
        module = model.get_submodule(owner)
        matrix = getattr(module, attribute)
        lora = LoRAParametrization(matrix, rank, generator).to(matrix.device)
        parametrize.register_parametrization(module, attribute, lora)
    for module in model.modules():
        if isinstance(module, nn.RNNBase):
            module.register_forward_pre_hook(_refresh_flat_weights)
    return [p for p in model.parameters() if p.requires_grad]


def _refresh_flat_weights(module: nn.RNNBase, inputs: object) -> None:
    """A recurrent layer reads its matrices from a list that it made when they were set."""
    module._flat_weights = [getattr(module, name) for name in module._flat_weights_names]


def init_lora(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Starts the factors of a model from those of another adapter, as near to it as the model's rank allows."""
    for name, lora in _parametrizations(model):
        if name + UP not in tensors:
            continue
        up, down = _balanced(tensors[name + UP], tensors[name + DOWN])
        r = min(lora.up.shape[-1], up.shape[-1])
        with torch.no_grad():
            lora.up[..., :r], lora.down[..., :r, :] = up[..., :r], down[..., :r, :]
    row = find_language_row(model)
    if row is not None and LANGUAGE_ROW in tensors:
        with torch.no_grad():
            row.row.copy_(tensors[LANGUAGE_ROW])


def _balanced(up: Tensor, down: Tensor) -> tuple[Tensor, Tensor]:
    """Factors of the same product by its singular values, the largest first, half of each in either factor.

    The first few are then the best of a lower rank, and rounding to a coarse grid loses the least.
    """
    left, size, right = torch.linalg.svd(up.float() @ down.float(), full_matrices=False)
    r = up.shape[-1]
    root = size[..., :r].sqrt()
    return left[..., :r] * root[..., None, :], root[..., None] * right[..., :r, :]


def mix_lora(
    one: Mapping[str, Tensor], other: Mapping[str, Tensor], share: float, rank: int
) -> dict[str, Tensor]:
    """Factors of `share` of one adapter's change and the rest of another's, as near as the rank allows.

    A matrix that the other does not adapt has `share` of the one's change. Source: weights between a model and what
    fine-tuning makes of it (WiSE-FT, Wortsman et al. 2022). Raises ValueError where `share` is not between 0 and 1, or where
    the other adapts a matrix that the one does not.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share is {share}; it must be between 0 and 1")
    names = [key.removesuffix(UP) for key in one if key.endswith(UP)]
    more = {key.removesuffix(UP) for key in other if key.endswith(UP)} - set(names)
    if more:
        raise ValueError(f"only one of the adapters changes {', '.join(sorted(more))}")
    found: dict[str, Tensor] = {}
    for name in names:
        up, down = share * one[name + UP].float(), one[name + DOWN].float()
        if name + UP in other:
            up = torch.cat([up, (1 - share) * other[name + UP].float()], -1)
            down = torch.cat([down, other[name + DOWN].float()], -2)
        up, down = _balanced(up, down)
        found[name + UP] = up[..., :rank].contiguous()
        found[name + DOWN] = down[..., :rank, :].contiguous()
    return found


def _parametrizations(model: nn.Module) -> Iterator[tuple[str, LoRAParametrization]]:
    for owner, module in model.named_modules():
        if isinstance(module, LoRAParametrization):
            yield owner.replace("parametrizations.", "").removesuffix(".0"), module


def lora_factors(model: nn.Module) -> dict[str, Tensor]:
    """NAME.up and NAME.down of every adapted matrix, as trained."""
    found: dict[str, Tensor] = {}
    for name, lora in _parametrizations(model):
        found[name + UP], found[name + DOWN] = lora.up.detach(), lora.down.detach()
    return found


def balanced_factors(model: nn.Module) -> dict[str, Tensor]:
    """`lora_factors`, balanced: what a file holds."""
    found: dict[str, Tensor] = {}
    for name, lora in _parametrizations(model):
        up, down = _balanced(lora.up.detach(), lora.down.detach())
        found[name + UP], found[name + DOWN] = up.contiguous(), down.contiguous()
    if (row := find_language_row(model)) is not None:
        found[LANGUAGE_ROW] = row.row.detach()
    return found


def check_lora(model: nn.Module, tensors: Mapping[str, Tensor], scope: LoRAScope | None = None) -> list[str]:
    """The names of the matrices that factors adapt.

    Raises ValueError for factors that do not fit the model, and for matrices that cannot be adapted for a scope alone.
    """
    parameters = dict(model.named_parameters())
    names = sorted({key.removesuffix(UP).removesuffix(DOWN) for key in tensors if key != LANGUAGE_ROW})
    row = tensors.get(LANGUAGE_ROW)
    width = parameters["embed.weight"].shape[1:] if "embed.weight" in parameters else None
    if row is not None and (row.shape != width or not (scope and len(scope.languages) == 1)):
        raise ValueError(
            f"the adapter's {LANGUAGE_ROW} does not fit the model, or it is not for one language"
        )
    for name in names:
        if scope and not name.startswith(LM_MATRICES):
            raise ValueError(f"{name} cannot be changed for some languages or tasks alone")
        up, down, matrix = tensors.get(name + UP), tensors.get(name + DOWN), parameters.get(name)
        if up is None or down is None or matrix is None:
            raise ValueError(f"the adapter has half of {name}, or the model has no such matrix")
        if (*up.shape[:-1], down.shape[-1]) != matrix.shape or up.shape[-1] != down.shape[-2]:
            raise ValueError(f"the adapter's {name} does not have the model's shape {tuple(matrix.shape)}")
    return names


def merge_lora(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Adds the products of factors to a model's matrices, in place. Raises ValueError where they do not fit."""
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name in check_lora(model, tensors):
            matrix = parameters[name]
            matrix.add_((tensors[name + UP].float() @ tensors[name + DOWN].float()).to(matrix))

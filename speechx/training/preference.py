"""Preference tuning of a trained language model on its own tries, word by word, as a low-rank change (speechx/adapter.py).

`speechx train preference --config configs/lm-preference.yaml --model MODEL --tries DIR [DIR ...] --out DIR`

Direct preference optimization (Rafailov et al. 2023, equation 7) of a codec language model's tries (SpeechAlign, Zhang et
al. 2024), but what is preferred is not a whole utterance: of a word that one try at a request said so that it was understood
and another did not, the frames of the one are made likelier than those of the other. A try has a dozen words and one or
two faults, so this says where they are.

Shape suffixes: B tries, T steps, N target steps, G codes of a step, V code values, W words of a group.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from speechx.adapter import adapt, factors
from speechx.batch import IGNORE, LMBatch, collate
from speechx.data.shards import Shards
from speechx.model import CodecLMCore
from speechx.training.lm import pair_length, to_example
from speechx.training.run import Recipe, Run


class PreferenceConfig(Recipe):
    """One recipe. beta: how soon a preference counts as learned; small allows to go further from the model before.

    fine_weight: of each code after the first, where the first and the pointer's advance have 1. imitate: weight of the
    likelihood of understood words, per frame, which keeps them from becoming unlikely together with the others (Pang et al.
    2024). lead: frames before a word that count as its own. held_out: every n-th group is only measured.
    """

    rank: int = 16
    epochs: float = 2.0
    batch_steps: int = 3600
    max_length: int = 500
    lr: float = 3e-4
    warmup: int = 20
    clip: float = 1.0
    beta: float = 0.2
    fine_weight: float = 0.15
    imitate: float = 0.05
    lead: int = 1
    held_out: int = 15
    bf16: bool = True
    seed: int = 1
    log_every: int = 10


@dataclass(frozen=True)
class Group:
    """Tries at one request. spans_BW: their words' frames [start, stop); right_BW: whether each was understood."""

    tries: list[int]
    spans_BW2: np.ndarray
    right_BW: np.ndarray
    length: int

    @property
    def steps(self) -> int:
        return self.length * len(self.tries)


def frame_likelihood(core: CodecLMCore, batch: LMBatch, fine_weight: float) -> Tensor:
    """Log-likelihood (N,) of each target step in nats: first code and advance, and the other codes weighted."""
    h_ND = core.hidden(batch)
    target_NG = batch.target_codes_BTG.flatten(0, 1)[batch.target_index_N]
    advance_N = batch.target_advance_BT.flatten()[batch.target_index_N]
    track_NG = core.track_codes(batch)
    nats_N = _nats(core.first_logits(h_ND, track_NG), target_NG[:, 0])
    nats_N = nats_N + _nats(core.advance_head(h_ND).float(), advance_N)
    if fine_weight:
        local = core.local_logits(h_ND, target_NG, track_NG)
        for logits_NV, wanted_N in zip(local, target_NG.T[1:], strict=True):
            nats_N = nats_N + fine_weight * _nats(logits_NV.float(), wanted_N)
    return nats_N


def _nats(logits_NV: Tensor, wanted_N: Tensor) -> Tensor:
    return -F.cross_entropy(logits_NV, wanted_N, ignore_index=IGNORE, reduction="none")


class Tries:
    """The groups of some folders, and batches of whole groups."""

    def __init__(self, core: CodecLMCore, folders: Sequence[str | Path], config: PreferenceConfig) -> None:
        if core.shape.frames_per_step != 1:
            raise ValueError("preference tuning takes models of one frame a step: words are told in frames")
        self.shape, self.config = core.shape, config
        self.shards = Shards(list(folders), core.shape.codec_hash)
        lines = [line for f in folders for line in (Path(f) / "words.jsonl").read_text().splitlines()]
        if len(lines) != len(self.shards):
            raise ValueError(f"{len(self.shards)} tries and {len(lines)} rows do not belong together")
        rows: dict[str, list[tuple[int, dict[str, list[int]]]]] = {}
        for index, line in enumerate(lines):
            row = json.loads(line)
            rows.setdefault(row["group"], []).append((index, row))
        groups = [self._group(members) for members in rows.values()]
        usable = [g for g in groups if g.length <= config.max_length and g.steps <= config.batch_steps]
        self.training = [g for i, g in enumerate(usable) if i % config.held_out]
        self.measured = [g for i, g in enumerate(usable) if i % config.held_out == 0]
        if not self.training:
            raise ValueError("no group is left: check max_length, batch_steps and held_out against the tries")

    def _group(self, members: list[tuple[int, dict[str, list[int]]]]) -> Group:
        spans_BW2 = np.array([row["spans"] for _, row in members])
        spans_BW2[..., 0] = np.maximum(0, spans_BW2[..., 0] - self.config.lead)
        right_BW = np.array([row["right"] for _, row in members])
        # A word without a frame of its own says nothing.
        mixed_W = right_BW.any(0) & ~right_BW.all(0) & (spans_BW2[..., 1] > spans_BW2[..., 0]).all(0)
        indices = [index for index, _ in members]
        length = max(pair_length(self.shards[i]) for i in indices)
        return Group(indices, spans_BW2[:, mixed_W], right_BW[:, mixed_W], length)

    def batch(self, groups: Sequence[Group]) -> LMBatch:
        examples = [to_example(self.shards[i], self.shape) for g in groups for i in g.tries]
        return collate(examples, self.shape)

    def batches(self, groups: Sequence[Group], rng: np.random.Generator | None = None) -> list[list[Group]]:
        """Groups of about the same length together, at most batch_steps steps, the batches in random order."""
        ordered = sorted(groups, key=lambda g: g.length + (0.0 if rng is None else rng.uniform(0, 40)))
        made = list[list[Group]]()
        for group in ordered:
            tries = sum(len(g.tries) for g in made[-1]) + len(group.tries) if made else 0
            longest = max(group.length, *(g.length for g in made[-1])) if made else 0
            if made and tries * longest <= self.config.batch_steps:
                made[-1].append(group)
            else:
                made.append([group])
        return made if rng is None else [made[i] for i in rng.permutation(len(made))]

    def order(self) -> Iterator[list[Group]]:
        """Batches of the training groups without end."""
        epoch = 0
        while True:
            yield from self.batches(self.training, np.random.default_rng((self.config.seed, epoch, 4)))
            epoch += 1


def word_likelihood(
    nats_N: Tensor, frames_B: Sequence[int], groups: Sequence[Group]
) -> list[tuple[Tensor, Tensor]]:
    """For each group: log-likelihood (B, W) of each word of each try, and its number of frames (B, W)."""
    sums_N = torch.cat([nats_N.new_zeros(1), nats_N.cumsum(0)])
    starts_B = torch.tensor([0, *np.cumsum(frames_B)[:-1]])
    found, at = list[tuple[Tensor, Tensor]](), 0
    for group in groups:
        spans = torch.from_numpy(group.spans_BW2) + starts_B[at : at + len(group.tries), None, None]
        spans = spans.to(nats_N.device)
        found.append((sums_N[spans[..., 1]] - sums_N[spans[..., 0]], spans[..., 1] - spans[..., 0]))
        at += len(group.tries)
    return found


def preference_loss(
    words: list[tuple[Tensor, Tensor]],
    before: list[Tensor],
    groups: Sequence[Group],
    config: PreferenceConfig,
) -> tuple[Tensor, dict[str, float]]:
    """Mean over the words; within a word over all pairs of a try that was understood and one that was not."""
    losses, imitated, right, margins = list[Tensor](), list[Tensor](), list[Tensor](), list[Tensor]()
    for (now_BW, frames_BW), was_BW, group in zip(words, before, groups, strict=True):
        gain_BW = now_BW - was_BW
        for w in range(gain_BW.shape[1]):
            good = torch.from_numpy(group.right_BW[:, w]).to(gain_BW.device)
            margin = gain_BW[good, w][:, None] - gain_BW[~good, w][None]
            losses.append(-F.logsigmoid(config.beta * margin).mean())
            imitated.append(-(now_BW[good, w] / frames_BW[good, w]).mean())
            margins.append(margin.mean())
            right.append((margin > 0).float().mean())
    preference, imitation = torch.stack(losses).mean(), torch.stack(imitated).mean()
    told = {
        "preference": preference, "right": torch.stack(right).mean(), "margin": torch.stack(margins).mean(),
        "imitation": imitation,
    }  # fmt: skip
    return preference + config.imitate * imitation, {k: float(v.detach()) for k, v in told.items()}


def tune(
    core: CodecLMCore, folders: Sequence[str | Path], out: str | Path, config: PreferenceConfig,
    max_minutes: float | None = None, device: str = "cpu",
) -> dict[str, Tensor]:  # fmt: skip
    """Runs the recipe; the factors of the low-rank change. Logs to OUT; `core` is left adapted.

    The likelihoods under the untuned model are found first. max_minutes: the learning rate is down, and the run over, then.
    """
    torch.manual_seed(config.seed)
    core = core.to(device).eval()
    tries, run = Tries(core, folders, config), Run(out, max_minutes)
    kind = torch.device(device).type

    def likelihoods(groups: Sequence[Group]) -> list[tuple[Tensor, Tensor]]:
        frames_B = [len(tries.shards[i].target_FK) for g in groups for i in g.tries]
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=config.bf16):
            nats_N = frame_likelihood(core, tries.batch(groups).to(device), config.fine_weight)
        return word_likelihood(nats_N, frames_B, groups)

    before: dict[int, Tensor] = {}
    with torch.no_grad():
        for groups in tries.batches([*tries.training, *tries.measured]):
            for group, (now_BW, _) in zip(groups, likelihoods(groups), strict=True):
                before[id(group)] = now_BW

    def loss_of(groups: Sequence[Group]) -> tuple[Tensor, dict[str, float]]:
        return preference_loss(likelihoods(groups), [before[id(g)] for g in groups], groups, config)

    parameters = adapt(core, config.rank, config.seed)
    optimizer = torch.optim.AdamW(parameters, lr=config.lr, weight_decay=0.0)
    steps = math.ceil(config.epochs * len(tries.batches(tries.training)))
    recent = list[dict[str, float]]()
    for step, groups in enumerate(tries.order(), 1):
        done = min(1.0, max(step / steps, run.share_of(max_minutes or 0)))
        for settings in optimizer.param_groups:
            settings["lr"] = config.lr * min(1, step / config.warmup) * (1 - 0.95 * done)
        loss, told = loss_of(groups)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, config.clip)
        optimizer.step()
        recent.append(told)
        last = step >= steps or run.out_of_time()
        if step % config.log_every == 0 or last:
            values = {k: float(np.mean([r[k] for r in recent])) for k in recent[0]}
            recent = []
            if last or step % (5 * config.log_every) == 0:
                with torch.no_grad():
                    held = [loss_of(groups)[1] for groups in tries.batches(tries.measured)]
                values |= {f"dev_{k}": float(np.mean([t[k] for t in held])) for k in held[0]}
            run.log(step, values)
        if last:
            break
    return factors(core)

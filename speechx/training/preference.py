"""Teaches a finished language model which of two outputs of a request is the better one.

Direct preference optimization (Rafailov et al. 2023, equation 7; of codec language models: SpeechAlign, Zhang et al. 2024).
With p the model, q the model that training began with, y the better and z the worse output, a pair's loss is

    -log sigmoid(beta * ((log p(y) - log q(y)) - (log p(z) - log q(z))))

Every step also learns from a batch of ordinary pairs, and a little from the better outputs, so that nothing else is
forgotten and the better outputs do not become less likely themselves (Pang et al. 2024, section 2).

Shape suffixes: B examples, P pairs (the better outputs are the first P examples, the worse ones the others), N target steps.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from speechx.data.batching import BatchStream
from speechx.data.shards import Shards
from speechx.errors import InputError
from speechx.models.codec.base import Codec
from speechx.models.lm.batch import IGNORE, LMBatch, collate
from speechx.models.lm.config import LMConfig
from speechx.models.lm.folder import load_model
from speechx.models.lm.model import CodecLMCore, LMOutput
from speechx.training.lm import LMTrainer
from speechx.training.lm_config import PreferenceConfig
from speechx.training.lm_data import LMBatchLoader, dev_batches, sequence_length, to_example
from speechx.training.loop import Metrics, TrainingRun, fit, mean_metrics

__all__ = ["PreferenceTrainer", "log_probs", "train"]


@dataclass
class PreferenceBatch(LMBatch):
    """Ordinary pairs, and outputs: `pairs` has the better ones, then the worse ones."""

    pairs: LMBatch | None = None


def log_probs(model: CodecLMCore, batch: LMBatch, codes: int) -> Tensor:
    """(B,) log probability of each target: of the pointer's path and the first `codes` codes of its frames."""
    h_ND = model.hidden(batch)
    target_NG = batch.target_codes_BTG.flatten(0, 1)[batch.target_index_N]
    track_NG = model.track_codes(batch)
    logits = [model.advance_head(h_ND), model.first_logits(h_ND, track_NG)]
    if codes > 1:
        logits += list(model.local_logits(h_ND, target_NG, track_NG))[: codes - 1]
    targets = [batch.target_advance_BT.flatten()[batch.target_index_N], *target_NG.T]
    log_p_N = -torch.stack(
        [
            F.cross_entropy(each.float(), wanted, ignore_index=IGNORE, reduction="none")
            for each, wanted in zip(logits, targets, strict=False)
        ]
    ).sum(0)
    rows, steps = batch.tokens_BT.shape
    return torch.zeros(rows, device=log_p_N.device).index_add(0, batch.target_index_N // steps, log_p_N)


class PairLoader:
    """Batches of outputs by length. Raises InputError for folders whose pairs are not of the same requests."""

    def __init__(self, better: Shards, worse: Shards, config: PreferenceConfig, model: LMConfig) -> None:
        self.better, self.worse, self.model = better, worse, model
        if len(better) != len(worse):
            raise InputError(
                f"worse: it has {len(worse)} outputs, and --better {len(better)}; they belong together one by one",
                field="worse",
            )
        lengths = [
            2 * max(sequence_length(one), sequence_length(other))
            for one, other in zip(better, worse, strict=True)
        ]
        self.stream = BatchStream(np.array(lengths), config.pair_steps, config.seed)

    def make(self, step: int) -> LMBatch:
        chosen = self.stream.batch(step)
        outputs = [side[i] for side in (self.better, self.worse) for i in chosen]
        return collate([to_example(output, self.model) for output in outputs], self.model)


class PreferenceTrainer(LMTrainer):
    """An `LMTrainer` from finished weights, which it also keeps as they were: `reference`."""

    config: PreferenceConfig

    def __init__(
        self, config: PreferenceConfig, model_config: LMConfig, device: str, start_from: str
    ) -> None:
        super().__init__(config.model_copy(update={"compile": False}), model_config, device)
        self.begin(start_from, None, None)
        self.reference = copy.deepcopy(self.average).eval()
        if config.compile:
            self.model.compile_blocks()
            self.reference.compile_blocks()

    def _forward(self, batch: LMBatch) -> LMOutput:
        assert isinstance(batch, PreferenceBatch) and batch.pairs is not None
        pairs, c = batch.pairs.to(self.device), self.config
        with self._autocast():
            with torch.no_grad():
                before_B = log_probs(self.reference, pairs, c.codes)
            self.model.eval()  # dropout would be noise in a difference
            now_B = log_probs(self.model, pairs, c.codes)
            self.model.train()
            plain = self.model(batch)
        gain_B = now_B - before_B
        P = len(gain_B) // 2
        margin_P = c.beta * (gain_B[:P] - gain_B[P:])
        preference = -F.logsigmoid(margin_P).mean()
        frames = (pairs.target_index_N // pairs.tokens_BT.shape[1] < P).sum()
        better_ce = -now_B[:P].sum() / (frames * c.codes)
        loss = c.plain_weight * plain.loss + preference + c.better_weight * better_ce
        with torch.no_grad():
            metrics = {
                "plain": plain.loss.detach(),
                "preference": preference.detach(),
                "right": (margin_P > 0).float().mean(),
                "gain_better": gain_B[:P].mean().detach(),
                "gain_worse": gain_B[P:].mean().detach(),
                "better_ce": better_ce.detach(),
            }
        return LMOutput(loss, metrics)


def train(
    config: PreferenceConfig, shards: Shards, better: Shards, worse: Shards, dev: Shards | None, out: str, *,
    start_from: str, codec: Codec, resume: bool = False, device: str = "cpu", max_minutes: float | None = None,
) -> PreferenceTrainer:  # fmt: skip
    """Runs the recipe until its steps or the minutes are over; leaves `last.pt` in `out`.

    start_from: folder of the finished language model. Pair i of `better` and of `worse` are outputs of one request.
    """
    shape = load_model(start_from, codec_hash=codec.hash, adapter=False).shape
    model_config = shape.with_(**config.model)
    trainer = PreferenceTrainer(config, model_config, device, start_from)
    run = TrainingRun(out, max_minutes)
    if run.resumes(resume):
        trainer.load(run.load())
    plain = LMBatchLoader(shards, config, model_config)
    pairs = PairLoader(better, worse, config, model_config)
    dev_sets = {} if dev is None else dev_batches(dev, config, model_config)

    def batches() -> Iterator[PreferenceBatch]:
        for step, batch in enumerate(plain.steps(trainer.step, config.steps), trainer.step):
            yield PreferenceBatch(**vars(batch), pairs=pairs.make(step))

    def evaluate() -> dict[str, float]:
        if trainer.step % config.eval_every:
            return {}
        scores = {slot: trainer.evaluate(found) for slot, found in dev_sets.items()}
        return {f"dev{slot}_{name}": row[name] for slot, row in scores.items() for name in ("loss", "ce_1")}

    def train_step(batch: PreferenceBatch) -> Metrics:
        return trainer.train_step(batch.to(trainer.device))

    fit(
        trainer, run, batches(), train_step, log_every=config.log_every, anneal_minutes=config.anneal_minutes,
        summarize=lambda recent, _: mean_metrics(recent), evaluate=evaluate,
    )  # fmt: skip
    return trainer

"""Teaches a finished language model to say words as in those of its tries that were understood.

Direct preference optimization (Rafailov et al. 2023, equation 7; of codec language models: SpeechAlign, Zhang et al. 2024),
word by word: most words of an output are right, and the pointer tells which frames say which word. With p the model, q the
model that training began with, y the frames of a word in a try where it was understood, and z those in a try of the same
request where it was not, each given what was said before, the loss is the mean over all such (y, z) of

    -log sigmoid(beta * ((log p(y) - log q(y)) - (log p(z) - log q(z))))

Every step also learns from a batch of ordinary pairs, so that nothing else is forgotten.

Shape suffixes: B tries, N target steps, I said words (word and try), P pairs of said words, G codes of a step.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from speechx.data.batching import BatchStream
from speechx.data.shards import Shards
from speechx.data.tries import Try
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

__all__ = ["PreferenceTrainer", "SaidWords", "said_words", "step_log_probs", "train"]


@dataclass
class SaidWords:
    """Tries of some requests as a batch. words: number of said words, I. word_N: the one of each target step, -1 = none.
    pairs_P2: said words, first the one that was understood."""

    batch: LMBatch
    words: int
    word_N: Tensor
    pairs_P2: Tensor

    def sums(self, log_p_N: Tensor) -> Tensor:
        """(I,) log probability of each said word."""
        inside = self.word_N >= 0
        return log_p_N.new_zeros(self.words).index_add(0, self.word_N[inside], log_p_N[inside])


@dataclass
class PreferenceBatch(LMBatch):
    """Ordinary pairs, and tries beside them."""

    said: SaidWords | None = None


def said_words(groups: Sequence[list[Try]], config: LMConfig) -> SaidWords:
    """The tries of requests as a batch, with the pairs of words that were understood in one and not in another."""
    tries = [one for group in groups for one in group]
    batch = collate([to_example(one.pair, config) for one in tries], config)
    word_N = np.full(len(batch.target_index_N), -1)
    pairs, count, first_step = [], 0, 0
    for group in groups:
        numbers = count + np.arange(len(group) * len(group[0].words_W3)).reshape(len(group), -1)
        count += numbers.size
        for one, row in zip(group, numbers, strict=True):
            for word, number in enumerate(row):
                word_N[first_step + one.frames(word)] = number
            first_step += len(one.pair.target_FK)
        for better, worse in itertools.permutations(range(len(group)), 2):
            understood = group[better].words_W3[:, 2] > group[worse].words_W3[:, 2]
            pairs += list(zip(numbers[better, understood], numbers[worse, understood], strict=True))
    return SaidWords(batch, count, torch.from_numpy(word_N), torch.tensor(np.array(pairs)))


def step_log_probs(model: CodecLMCore, batch: LMBatch, codes: int) -> Tensor:
    """(N,) log probability of each target step: of the pointer's advance and its first `codes` codes."""
    h_ND = model.hidden(batch)
    target_NG = batch.target_codes_BTG.flatten(0, 1)[batch.target_index_N]
    track_NG = model.track_codes(batch)
    logits = [model.advance_head(h_ND), model.first_logits(h_ND, track_NG)]
    if codes > 1:
        logits += list(model.local_logits(h_ND, target_NG, track_NG))[: codes - 1]
    targets = [batch.target_advance_BT.flatten()[batch.target_index_N], *target_NG.T]
    return -torch.stack(
        [
            F.cross_entropy(each.float(), wanted, ignore_index=IGNORE, reduction="none")
            for each, wanted in zip(logits, targets, strict=False)
        ]
    ).sum(0)


class TriesLoader:
    """Batches of whole requests, by the length of their tries."""

    def __init__(self, groups: list[list[Try]], config: PreferenceConfig, model: LMConfig) -> None:
        self.groups, self.model = groups, model
        lengths = [len(tries) * max(sequence_length(one.pair) for one in tries) for tries in groups]
        self.stream = BatchStream(np.array(lengths), config.tries_steps, config.seed)

    def make(self, step: int) -> SaidWords:
        return said_words([self.groups[i] for i in self.stream.batch(step)], self.model)


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

    def margins(self, said: SaidWords) -> Tensor:
        """(P,) how much likelier than before the understood word is, less the same of the other one, in nats."""
        batch, codes = said.batch.to(self.device), self.config.codes
        with torch.no_grad():
            before_N = step_log_probs(self.reference, batch, codes)
        self.model.eval()  # dropout would be noise in a difference
        now_N = step_log_probs(self.model, batch, codes)
        self.model.train()
        gain_I = said.sums(now_N - before_N)
        return gain_I[said.pairs_P2[:, 0]] - gain_I[said.pairs_P2[:, 1]]

    def _forward(self, batch: LMBatch) -> LMOutput:
        assert isinstance(batch, PreferenceBatch) and batch.said is not None
        config = self.config
        with self._autocast():
            margin_P = self.margins(batch.said)
            plain = self.model(batch)
        preference = -F.logsigmoid(config.beta * margin_P).mean()
        metrics = {
            "plain": plain.loss.detach(),
            "preference": preference.detach(),
            "right": (margin_P > 0).float().mean(),
            "margin": margin_P.mean().detach(),
        }
        return LMOutput(config.plain_weight * plain.loss + preference, metrics)

    @torch.no_grad()
    def measure(self, groups: list[list[Try]]) -> dict[str, float]:
        """Mean margin of other requests, and how often it is above 0; of the weights of the last step."""
        found = []
        for group in groups:
            with self._autocast():
                found.append(self.margins(said_words([group], self.model_config)))
        margin_P = torch.cat(found)
        return {"dev_margin": float(margin_P.mean()), "dev_right": float((margin_P > 0).float().mean())}


def train(
    config: PreferenceConfig, shards: Shards, tries: list[list[Try]], dev: Shards | None, out: str, *,
    start_from: str, codec: Codec, resume: bool = False, device: str = "cpu", max_minutes: float | None = None,
) -> PreferenceTrainer:  # fmt: skip
    """Runs the recipe until its steps or the minutes are over; leaves `last.pt` in `out`.

    start_from: folder of the finished language model. tries: of each request. Of them, `dev_requests` are not learned from.
    """
    shape = load_model(start_from, codec_hash=codec.hash, adapter=False).shape
    model_config = shape.with_(**config.model)
    trainer = PreferenceTrainer(config, model_config, device, start_from)
    run = TrainingRun(out, max_minutes)
    if run.resumes(resume):
        trainer.load(run.load())
    plain = LMBatchLoader(shards, config, model_config)
    held, learned = tries[: config.dev_requests], tries[config.dev_requests :]
    if not learned:
        raise InputError(
            f"dev_requests: the recipe holds out {config.dev_requests} requests, and the tries have {len(tries)} of use",
            field="config",
        )
    loader = TriesLoader(learned, config, model_config)
    dev_sets = {} if dev is None else dev_batches(dev, config, model_config)

    def batches() -> Iterator[PreferenceBatch]:
        for step, batch in enumerate(plain.steps(trainer.step, config.steps), trainer.step):
            yield PreferenceBatch(**vars(batch), said=loader.make(step))

    def evaluate() -> dict[str, float]:
        if trainer.step % config.eval_every:
            return {}
        scores = {slot: trainer.evaluate(found) for slot, found in dev_sets.items()}
        losses = {f"dev{slot}_{name}": row[name] for slot, row in scores.items() for name in ("loss", "ce_1")}
        return losses | (trainer.measure(held) if held else {})

    def train_step(batch: PreferenceBatch) -> Metrics:
        return trainer.train_step(batch.to(trainer.device))

    fit(
        trainer, run, batches(), train_step, log_every=config.log_every, anneal_minutes=config.anneal_minutes,
        summarize=lambda recent, _: mean_metrics(recent), evaluate=evaluate,
    )  # fmt: skip
    return trainer

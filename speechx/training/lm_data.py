"""Training pairs to batches of the language model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from speechx.data.batching import BatchStream
from speechx.data.shards import Shards
from speechx.errors import InputError
from speechx.models.lm.batch import LMBatch, TrainExample, collate
from speechx.models.lm.config import LMConfig
from speechx.models.lm.prompt import Frames, Text, pack, unconditional
from speechx.task.examples import TrainingPair
from speechx.training.group import Group
from speechx.training.lm_config import LMTrainConfig


def to_example(pair: TrainingPair, config: LMConfig, drop_condition: bool = False) -> TrainExample:
    """drop_condition: without text, voice and what comes later, see LMConfig.condition_dropout and recording_dropout."""
    prompt = pair.prompt
    if drop_condition and (prompt.track is not None or prompt.track_codes_FK is not None):
        prompt = unconditional(prompt, len(pair.target_FK))
    packed = pack(prompt, config.num_codebooks)
    return TrainExample(packed, pair.target_FK, pair.pointer_F if prompt.track is not None else None)


def sequence_length(pair: TrainingPair) -> int:
    """Steps of the sequence, without packing it."""
    steps = 1 + len(pair.target_FK)
    for segment in pair.prompt.segments:
        if isinstance(segment, Frames):
            steps += len(segment.codes_FK)
        else:
            steps += 1 + (len(segment.ids) if isinstance(segment, Text) else 0)
    return steps


def pair_length(pair: TrainingPair) -> int:
    """What a pair counts in the budget of a batch: the steps of its sequence and a little more."""
    steps = 1 + len(pair.target_FK)
    for segment in pair.prompt.segments:
        steps += len(getattr(segment, "codes_FK", getattr(segment, "ids", [0]))) + 1
    return steps


class _Steps(Dataset[LMBatch]):
    """Step -> batch, for a DataLoader. Each worker process has its own copy."""

    def __init__(self, feeder: LMBatchLoader) -> None:
        self.feeder = feeder

    def __getitem__(self, step: int) -> LMBatch:
        return self.feeder.make(step)


class LMBatchLoader:
    """Makes the batch of any step from shards, one step ahead in a thread, or several in `workers` processes.

    group: the ranks that share the batches. Random numbers are drawn for the whole batch, pairs are read for this rank.
    """

    def __init__(
        self, shards: Shards, config: LMTrainConfig, model_config: LMConfig, noise: bool = True, group: Group = Group()
    ) -> None:  # fmt: skip
        self.shards, self.config, self.model_config, self.noise = shards, config, model_config, noise
        self.group = group
        lengths = np.array([pair_length(pair) for pair in shards])
        sizes = [(sequence_length(p), len(p.target_FK), p.prompt.track_codes_FK is not None) for p in shards]
        self.lengths, self.target_lengths, self.follows = np.array(sizes).T
        slots = shards.slots()
        shares = np.zeros(len(slots))
        for slot in np.unique(slots):
            share = config.shares.get(int(slot), 0.0) if config.shares else float((slots == slot).sum())
            shares[slots == slot] = share / (slots == slot).sum()
        shares[lengths > config.max_length] = 0
        if not shares.any():
            raise InputError(
                "no training pair is left: check `shares` and `max_length` against the shards", field="shards"
            )
        self.stream = BatchStream(lengths, config.batch_steps, config.seed, shares)
        self.thread = ThreadPoolExecutor(1)

    def make(self, step: int) -> LMBatch:
        rng = np.random.default_rng((self.config.seed, step, 2))
        whole_B, c = np.array(self.stream.batch(step)), self.model_config
        rate_B = np.where(self.follows[whole_B], c.recording_dropout, c.condition_dropout)
        dropped_B = rng.random(len(whole_B)) < rate_B
        mine = self.group.rows
        rows = list(zip(whole_B, dropped_B, strict=True))
        # A rank without a row has the first one, without its targets.
        examples = [to_example(self.shards[i], c, bool(d)) for i, d in rows[mine] or rows[:1]]
        if self.group.world == 1:
            batch = collate(examples, c)
        else:
            batch = collate(examples, c, self._longest(whole_B, dropped_B))
            ends_B = np.cumsum(self.target_lengths[whole_B])
            spans = zip((ends_B - self.target_lengths[whole_B])[mine], ends_B[mine], strict=True)
            numbers = [np.arange(first, end) for first, end in spans]
            batch.whole_steps = int(ends_B[-1])
            batch.whole_index_N = torch.from_numpy(np.concatenate([np.arange(0), *numbers]))
            batch.target_index_N = batch.target_index_N[: len(batch.whole_index_N)]
        if self.noise:
            self._slip(batch, len(whole_B), rng)
        return batch

    def _longest(self, whole_B: np.ndarray, dropped_B: np.ndarray) -> int:
        """Steps of the longest sequence of the whole batch. Those whose condition is dropped are shorter than they were."""
        dropped = (to_example(self.shards[i], self.model_config, True) for i in whole_B[dropped_B])
        return max([*self.lengths[whole_B[~dropped_B]].tolist(), *map(len, dropped)])

    def _slip(self, batch: LMBatch, whole: int, rng: np.random.Generator) -> None:
        """Wrong codes in the input teach the model to recover from its own slips. whole: rows of the whole batch."""
        codes, mine = batch.codes_BTG, self.group.rows if self.group.rank < whole else slice(1)
        shape = (whole, *codes.shape[1:])
        drawn = torch.from_numpy(rng.random(shape[:2])[mine])
        wrong = torch.from_numpy(rng.integers(0, self.model_config.codebook_size, shape)[mine])
        hit = (drawn < self.config.code_noise) & (codes[..., 0] >= 0)
        batch.codes_BTG = torch.where(hit[..., None], wrong, codes)
        if self.config.aligned_noise > 0 and batch.track_codes_BT2G is not None:
            # A slip sounds like speech: it is a real frame of another moment.
            other = codes[:, torch.from_numpy(rng.permutation(codes.shape[1]))]
            hit = (drawn < self.config.aligned_noise) & (batch.track_codes_BT2G[:, :, 0, 0] >= 0)
            hit &= codes[..., 0] >= 0
            batch.codes_BTG = torch.where(hit[..., None], other, batch.codes_BTG)

    def steps(self, first: int, last: int) -> Iterator[LMBatch]:
        """Yields the batches of steps first..last-1."""
        if self.config.workers:
            # Worker n makes every n-th step; a generator of its own leaves the run's random numbers alone.
            yield from DataLoader(
                _Steps(self), batch_size=None, sampler=range(first, last), num_workers=self.config.workers,
                generator=torch.Generator(), prefetch_factor=4,
            )  # fmt: skip
            return
        ahead = self.thread.submit(self.make, first)
        for step in range(first, last):
            batch = ahead.result()
            if step + 1 < last:
                ahead = self.thread.submit(self.make, step + 1)
            yield batch


def dev_batches(dev: Shards, config: LMTrainConfig, model_config: LMConfig) -> dict[int, list[LMBatch]]:
    """A few batches of each task slot, the same every time."""
    by_slot: dict[int, list[TrainExample]] = defaultdict(list)
    for pair in dev:
        if (
            pair_length(pair) <= config.max_length
            and len(by_slot[pair.prompt.slot]) < config.eval_batches * 4
        ):
            by_slot[pair.prompt.slot].append(to_example(pair, model_config))
    return {
        slot: [collate(items[i : i + 4], model_config) for i in range(0, len(items), 4)]
        for slot, items in sorted(by_slot.items())
    }

"""Trains the codec language model on shards of training pairs.

`speechx train lm --config lm/1-tts --shards DIR [DIR ...] --out DIR [--resume] [--device cuda] [--max-
minutes N]`; with `rank` in the recipe and `--adapt MODEL/lm`, a low-rank change of a finished model (speechx.models.lora).
"""

from __future__ import annotations

import copy
import math
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from speechx.data.batching import BatchStream
from speechx.data.shards import Shards
from speechx.models.config import StrictConfig
from speechx.models.lm.batch import LMBatch, TrainExample, collate
from speechx.models.lm.config import LMConfig
from speechx.models.lm.model import CodecLMCore
from speechx.models.lm.prompt import pack, unconditional
from speechx.models.lora import LM_MATRICES, LoRAAdapter, add_lora, init_lora
from speechx.task.examples import TrainingPair
from speechx.training.loop import TrainingRun, rng_state, set_rng_state
from speechx.training.new_codebooks import start_codes
from speechx.training.optimizers import optimizers


class LMTrainConfig(StrictConfig):
    """One recipe. `shares`: part of each task slot in what is seen; missing slots are
    left out.
    """

    preset: str = "mini"
    model: dict[str, Any] = {}
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
    anneal_minutes: float = 0.0  # with a value: the rate is down, and the run over, after so long or `steps`
    shares: dict[int, float] = {}
    code_noise: float = 0.02
    aligned_noise: float = 0.0  # code_noise where the target follows a recording, which tells the truth
    new_codebooks: int = 0  # so many, the last ones, mean something else than in the stage to start from
    rank: int = 0  # of the change of a finished model, which alone is learned then
    adapted: tuple[str, ...] = LM_MATRICES  # how the names of the matrices begin that are changed
    grid: float = 0.0  # of the change's factors in the file, see speechx.models.folder.on_grid
    languages: tuple[
        str, ...
    ] = ()  # of what is said where the change holds (speechx.models.lora.Scope); empty: any
    slots: tuple[int, ...] = ()  # of the tasks where it holds
    workers: int = 0
    log_every: int = 50
    eval_every: int = 500
    eval_batches: int = 12


def to_example(pair: TrainingPair, config: LMConfig, drop_condition: bool = False) -> TrainExample:
    """drop_condition: without text, voice and what comes later, see LMConfig.condition_dropout and recording_dropout."""
    prompt = pair.prompt
    if drop_condition and (prompt.track is not None or prompt.track_codes_FK is not None):
        prompt = unconditional(prompt, len(pair.target_FK))
    packed = pack(prompt, config.frames_per_step, config.num_codebooks)
    return TrainExample(packed, pair.target_FK, pair.pointer_F if prompt.track is not None else None)


def pair_length(pair: TrainingPair) -> int:
    """Steps of the sequence, without packing it."""
    steps = 1 + len(pair.target_FK)
    for segment in pair.prompt.segments:
        steps += len(getattr(segment, "codes_FK", getattr(segment, "ids", [0]))) + 1
    return steps


class LMTrainer:
    """Holds the model, its running average, the optimizer and the step. finished: the model that a change is learned of."""

    def __init__(
        self, config: LMTrainConfig, model_config: LMConfig, device: str, finished: CodecLMCore | None = None
    ) -> None:
        torch.manual_seed(config.seed)
        self.config, self.model_config, self.device = config, model_config, torch.device(device)
        self.model = (finished or CodecLMCore(model_config)).to(self.device)
        if finished is not None:
            add_lora(self.model, config.rank, config.seed, config.adapted)
        self.average = copy.deepcopy(self.model).requires_grad_(False)
        self.opts = optimizers(
            self.model, config.optimizer, lr=config.lr, betas=config.betas, weight_decay=config.weight_decay,
            muon_steps=config.muon_steps,
        )  # fmt: skip
        self.step = 0
        self.share_of_time = 0.0
        if config.compile:
            self.model.compile_blocks()  # after the average was copied from it: a compiled block does not copy

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.config.bf16)

    def train_step(self, batch: LMBatch) -> dict[str, torch.Tensor]:
        config = self.config
        warm = min(1.0, (self.step + 1) / config.warmup)
        done = min(1.0, max(self.share_of_time, self.step / config.steps))
        floor = config.lr_final / config.lr
        for group in (group for opt in self.opts for group in opt.param_groups):
            group["lr"] = config.lr * warm * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * done)))
        self.model.train()
        with self._autocast():
            out = self.model(batch)
        self.model.zero_grad(set_to_none=True)
        out.loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.clip)
        for opt in self.opts:
            opt.step()
        with torch.no_grad():
            keep = min(config.ema, (self.step + 1) / (self.step + 10))
            torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), 1 - keep)
        self.step += 1
        return out.metrics | {"loss": out.loss.detach(), "grad": norm}

    @torch.no_grad()
    def evaluate(self, batches: list[LMBatch]) -> dict[str, float]:
        """Mean metrics of the averaged weights."""
        self.average.eval()
        rows = []
        for batch in batches:
            with self._autocast():
                out = self.average(batch.to(self.device))
            rows.append(out.metrics | {"loss": out.loss})
        return {k: float(torch.stack([r[k].float().cpu() for r in rows]).mean()) for k in rows[0]}

    def state(self) -> dict[str, Any]:
        return {
            "step": self.step, "config": self.config.model_dump(), "model_config": self.model_config.to_dict(),
            "model": self.model.state_dict(), "average": self.average.state_dict(),
            "opt": [opt.state_dict() for opt in self.opts], "rng": rng_state(),
        }  # fmt: skip

    def load(
        self, state: dict[str, Any], weights_only: bool = False, vectors_KVD: torch.Tensor | None = None
    ) -> None:
        """`weights_only`: the next stage starts from these weights with a fresh optimizer and step 0.

        vectors_KVD: what the codec's codes stand for; what knows `new_codebooks` begins anew from them.
        """
        if weights_only:
            new, before = self.config.new_codebooks, state["model_config"]["codec_hash"]
            if not new and before != self.model_config.codec_hash:
                raise ValueError(
                    f"the stage to start from was trained with codec {before}, these shards are of "
                    f"{self.model_config.codec_hash}: say in the recipe how many codebooks are new (new_codebooks)"
                )
            for model in (self.model, self.average):
                missing, unknown = model.load_state_dict(state["average"], strict=False)
                wrong = [name for name in missing if not name.startswith("copy.")] + unknown
                if wrong:
                    raise ValueError(f"the stage to start from has another shape: {', '.join(wrong[:5])}")
                if new:
                    start_codes(model, new, vectors_KVD, self.config.seed)
            return
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        for opt, saved in zip(self.opts, state["opt"], strict=True):
            opt.load_state_dict(saved)
        set_rng_state(state["rng"])
        self.step = state["step"]


class _Steps(Dataset[LMBatch]):
    """Step -> batch, for a DataLoader. Each worker process has its own copy."""

    def __init__(self, feeder: Feeder) -> None:
        self.feeder = feeder

    def __getitem__(self, step: int) -> LMBatch:
        return self.feeder.make(step)


class Feeder:
    """Makes the batch of any step from shards, one step ahead in a thread, or several in `workers` processes."""

    def __init__(
        self, shards: Shards, config: LMTrainConfig, model_config: LMConfig, noise: bool = True
    ) -> None:
        self.shards, self.config, self.model_config, self.noise = shards, config, model_config, noise
        lengths = np.array([pair_length(pair) for pair in shards])
        slots = shards.slots()
        shares = np.zeros(len(slots))
        for slot in np.unique(slots):
            share = config.shares.get(int(slot), 0.0) if config.shares else float((slots == slot).sum())
            shares[slots == slot] = share / (slots == slot).sum()
        shares[lengths > config.max_length] = 0
        if not shares.any():
            raise ValueError("no training pair is left: check `shares` and `max_length` against the shards")
        self.stream = BatchStream(lengths, config.batch_steps, config.seed, shares)
        self.thread = ThreadPoolExecutor(1)

    def make(self, step: int) -> LMBatch:
        rng = np.random.default_rng((self.config.seed, step, 2))
        pairs = [self.shards[i] for i in self.stream.batch(step)]
        c = self.model_config
        parts = [
            c.condition_dropout if p.prompt.track_codes_FK is None else c.recording_dropout for p in pairs
        ]
        dropped = rng.random(len(pairs)) < np.array(parts)
        examples = [to_example(p, c, bool(d)) for p, d in zip(pairs, dropped, strict=True)]
        batch = collate(examples, c)
        if self.noise:
            self._slip(batch, rng)
        return batch

    def _slip(self, batch: LMBatch, rng: np.random.Generator) -> None:
        """Wrong codes in the input teach the model to recover from its own slips."""
        codes = batch.codes_BTG
        drawn = torch.from_numpy(rng.random(codes.shape[:2]))
        wrong = torch.from_numpy(rng.integers(0, self.model_config.codebook_size, codes.shape))
        hit = (drawn < self.config.code_noise) & (codes[..., 0] >= 0)
        batch.codes_BTG = torch.where(hit[..., None], wrong, codes)
        if self.config.aligned_noise > 0 and batch.track_codes_BT2G is not None:
            # A slip sounds like speech: it is a real frame of another moment.
            other = codes[:, torch.from_numpy(rng.permutation(codes.shape[1]))]
            hit = (drawn < self.config.aligned_noise) & (batch.track_codes_BT2G[:, :, 0, 0] >= 0)
            hit &= codes[..., 0] >= 0
            batch.codes_BTG = torch.where(hit[..., None], other, batch.codes_BTG)

    def steps(self, first: int, last: int) -> Any:
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


def train(
    config: LMTrainConfig, shards: Shards, dev: Shards | None, out: str, *, phone_table_version: int, codec_name: str,
    pause_phones: tuple[int, ...], resume: bool = False, device: str = "cpu", max_minutes: float | None = None,
    start_from: str | None = None, vectors_KVD: torch.Tensor | None = None, finished: CodecLMCore | None = None,
    adapter: LoRAAdapter | None = None,
) -> LMTrainer:  # fmt: skip
    """Runs the recipe until its steps or the minutes are over; leaves `last.pt` in `out`.

    finished: the model of which a change of `rank` is learned; adapter: what it begins with. Raises
    ValueError where one is given without the other.
    """
    if (finished is None) != (config.rank == 0):
        raise ValueError(
            "a recipe with `rank` needs a finished model to change (--adapt), and only such a recipe"
        )
    facts = {
        "codec_name": codec_name,
        "codec_hash": shards.codec_hash,
        "phone_table_version": phone_table_version,
    }
    if finished is None:
        model_config = LMConfig.preset(
            config.preset, **{"pause_phones": pause_phones, **facts, **config.model}
        )
    else:
        model_config = finished.shape = finished.shape.with_(**config.model)
        finished.train()
    run = TrainingRun(out, max_minutes)
    trainer = LMTrainer(config, model_config, device, finished)
    if resume and run.checkpoint.is_file():
        trainer.load(run.load())
    elif start_from:
        state = torch.load(start_from, map_location="cpu", weights_only=False)
        trainer.load(state, weights_only=True, vectors_KVD=vectors_KVD)
    elif adapter is not None:
        for model in (trainer.model, trainer.average):
            init_lora(model, adapter.tensors)
    feeder = Feeder(shards, config, model_config)
    dev_batches: dict[int, list[LMBatch]] = {}
    if dev is not None:
        dev_batches = _dev_batches(dev, config, model_config)
    clock, recent, seen = time.monotonic(), list[dict[str, torch.Tensor]](), 0
    for batch in feeder.steps(trainer.step, config.steps):
        seen += batch.num_steps
        trainer.share_of_time = run.share_of(config.anneal_minutes)
        recent.append(trainer.train_step(batch.to(trainer.device, non_blocking=True)))
        if trainer.step % config.log_every == 0:
            mean = {k: float(torch.stack([r[k].float() for r in recent]).mean()) for k in recent[0]}
            speed = seen / (time.monotonic() - clock)
            run.log(trainer.step, mean | {"epoch": float(feeder.stream.epoch), "steps_per_s": speed})
            clock, recent, seen = time.monotonic(), [], 0
        if dev_batches and trainer.step % config.eval_every == 0:
            scores = {slot: trainer.evaluate(batches) for slot, batches in dev_batches.items()}
            run.log(
                trainer.step,
                {
                    f"dev{slot}_{k}": s[k]
                    for slot, s in scores.items()
                    for k in ("loss", "ce_1", "ce_2", "acc_1")
                },
            )
            clock, seen = time.monotonic(), 0
        if run.save_due():
            run.save(trainer.state())
        if run.out_of_time() or trainer.share_of_time >= 1:
            break
    run.save(trainer.state())
    return trainer


def _dev_batches(dev: Shards, config: LMTrainConfig, model_config: LMConfig) -> dict[int, list[LMBatch]]:
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

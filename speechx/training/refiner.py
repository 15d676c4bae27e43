"""Trains the refiner: a net that masks a recording with the help of the language model's estimate.

`speechx train refiner --config refiner/1-start --pack DIR --estimates DIR --codec DIR --output DIR`, or, with another recipe
and `--adapt MODEL/mask`, a LoRA adapter of a finished one for single tasks (speechx.models.lora).
Legend: B batch, M STFT frames, F bins, N bands, T samples, V axes of the voice.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch

from speechx.data.refiner_examples import read_estimates
from speechx.errors import InputError
from speechx.models.codec.base import Codec
from speechx.models.folder import on_grid
from speechx.models.lora import LoRAAdapter, add_lora, init_lora
from speechx.models.refiner import REFINER_FOLDER, Refiner, load_refiner, make_refiner
from speechx.models.refiner.complex import ComplexRefiner
from speechx.training.group import Group
from speechx.training.loop import (
    Checkpoint,
    CheckpointStore,
    Metrics,
    TrainingRun,
    cosine,
    fit,
    read_checkpoint,
    set_learning_rate,
    update_average,
    warm_up,
)
from speechx.training.refiner_data import Mixtures, RefinerBatch, simulated
from speechx.training.refiner_loss import RefinerLoss
from speechx.training.refiner_recipe import RefinerTrainConfig
from speechx.training.refiner_voices import SPEAKERS, learn_voices

LR_FLOOR = 0.01
"""Of the learning rate, at the end."""


class RefinerTrainer:
    """Holds the net, its average, the optimizer and the step. finished: the net to adapt."""

    def __init__(
        self, config: RefinerTrainConfig, finished: Refiner | None = None, group: Group = Group()
    ) -> None:
        torch.manual_seed(config.seed)
        self.config, self.step, self.share_of_time, self.group = config, 0, 0.0, group
        self.net = (finished or make_refiner(config.net)).train()
        if finished is not None:
            add_lora(self.net, config.rank, config.seed, self.net.lora_matrices)
        self.average = copy.deepcopy(self.net)
        self.loss = RefinerLoss(config, self.net)
        self.window_T = torch.hann_window(self.net.config.window).sqrt()
        self.opt = torch.optim.AdamW(
            [p for p in self.net.parameters() if p.requires_grad],
            lr=config.lr, weight_decay=config.weight_decay, betas=(0.9, 0.98),
        )  # fmt: skip

    def spectrum(self, wav_BT: torch.Tensor) -> torch.Tensor:
        """(B, T) -> (B, M, F), frame m from m * hop - hop on."""
        window, hop = self.net.config.window, self.net.config.hop
        padded_BT = torch.nn.functional.pad(wav_BT, (window - hop, window))
        return torch.stft(
            padded_BT, window, hop, window=self.window_T, center=False, return_complex=True
        ).transpose(1, 2)

    def measure(self, net: Refiner, batch: RefinerBatch, rng: np.random.Generator | None) -> torch.Tensor:
        """Losses of this rank's rows. With `rng` sounds are colored at random, and missing estimates are made up."""
        recording, estimate, target, other = (
            self.spectrum(torch.from_numpy(wav_BT))
            for wav_BT in (batch.recording_BT, batch.estimate_BT, batch.target_BT, batch.other_BT)
        )  # fmt: skip
        if rng is not None:
            made = simulated(target, other, net, rng)
            missing_B11 = torch.from_numpy(batch.missing_B)[:, None, None]
            estimate = torch.where(missing_B11, made, estimate)
            color_B1F = torch.from_numpy(colors(len(batch.task_B), recording.shape[-1], rng))[:, None]
            recording, estimate, target = (x * color_B1F for x in (recording, estimate, target))
        mine = self.group.rows
        task_B, voice_BV = torch.from_numpy(batch.task_B)[mine], torch.from_numpy(batch.voice_BV)[mine]
        output_BMF = net(recording[mine], estimate[mine], task_B, voice_BV)
        return self.loss(output_BMF, target[mine], task_B)

    def train_step(self, batch: RefinerBatch, progress: float, rng: np.random.Generator) -> torch.Tensor:
        """One update. progress: 0..1, of the whole run. Returns the losses of the whole batch (B,)."""
        config, group = self.config, self.group
        set_learning_rate(
            self.opt, config.lr * warm_up(self.step, config.warmup) * cosine(progress, LR_FLOOR)
        )
        coarse = progress >= config.grid_from and config.grid > 0 and not config.rank
        kept = self._coarsen() if coarse else {}
        loss_B = self.measure(self.net, batch, rng)
        self.opt.zero_grad(set_to_none=True)
        (loss_B.mean() * group.share(len(batch.task_B))).backward()
        group.sum_gradients([self.opt], {})
        with torch.no_grad():
            for name, value in kept.items():
                self.net.get_parameter(name).copy_(value)
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.opt.step()
        self.step += 1
        update_average(self.average, self.net, self.step, config.average)
        return group.gather(loss_B.detach())

    @torch.no_grad()
    def _coarsen(self) -> dict[str, torch.Tensor]:
        """Puts matrices on the grid they will be stored on; what they were. Gradients are taken there (straight through)."""
        kept = {}
        for name, value in self.net.named_parameters():
            if value.ndim > 1:
                kept[name] = value.clone()
                value.copy_(on_grid(value, self.config.grid))
        return kept

    def state(self) -> Checkpoint:
        return {
            "step": self.step, "net": self.net.state_dict(), "average": self.average.state_dict(),
            "opt": self.opt.state_dict(),
        }  # fmt: skip

    def load(self, state: Checkpoint) -> None:
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.opt.load_state_dict(state["opt"])
        self.step = state["step"]


def colors(count: int, bins: int, rng: np.random.Generator) -> np.ndarray:
    """(B, F) gains of random microphones: a slope of up to 6 dB each way and a wave of up to 3 dB."""
    at_F = np.linspace(-1, 1, bins)
    slope_B1, wave_B1 = rng.uniform(-6, 6, (count, 1)), rng.uniform(0, 3, (count, 1))
    turn_B1, speed_B1 = rng.uniform(0, 2 * np.pi, (count, 1)), rng.uniform(1, 6, (count, 1))
    return (10 ** ((slope_B1 * at_F + wave_B1 * np.sin(speed_B1 * at_F + turn_B1)) / 20)).astype(np.float32)


def train(
    config: RefinerTrainConfig, pack: str, estimates: str, codec: Codec, out: str,
    resume: bool = False, max_minutes: float | None = None, anneal_minutes: float | None = None,
    start_from: str | None = None, finished: str | None = None, group: Group = Group(),
    store: CheckpointStore | None = None,
) -> Refiner:  # fmt: skip
    """Runs the recipe; leaves the net in `out`/model.

    anneal_minutes: the clock, not the step, brings the rate down. start_from: a checkpoint whose averaged weights start the
    recipe. finished: folder of the net to adapt (`rank`). Raises ValueError where one is given without the other, or does
    not fit.
    """
    config, net, adapter = _started(config, codec, finished)
    examples = read_estimates(estimates, codec.hash)
    if not examples and config.shares.fresh < 1:
        raise InputError(
            f"estimates: {estimates} has no examples of `speechx data estimate`, and the recipe wants them (shares: fresh)",
            field="estimates",
        )
    mixtures = Mixtures(pack, examples, codec, config.net, config.shares, config.seconds)
    group.check_batch(config.batch)
    run, model = TrainingRun(out, max_minutes, group=group, store=store), Path(out) / "model"
    trainer = RefinerTrainer(config, net, group)
    if adapter is not None:
        for its in (trainer.net, trainer.average):
            init_lora(its, adapter.tensors)
    if start_from is not None:
        weights = read_checkpoint(start_from, "average")["average"]
        for net in (trainer.net, trainer.average):
            net.load_state_dict(weights)
    if run.resumes(resume):
        trainer.load(run.load())
    elif config.voice_steps:
        _tell_speakers(trainer, mixtures)

    def save() -> None:
        run.save(trainer.state())
        if not group.first:
            return
        if finished is None:
            trainer.average.save(model, config.grid)
        else:
            shutil.copytree(finished, model, dirs_exist_ok=True)
            trainer.average.save_adapter(model, config.slots, config.grid)

    last = None if anneal_minutes else config.steps

    def train_step(drawn: tuple[RefinerBatch, np.random.Generator]) -> Metrics:
        progress = trainer.share_of_time if anneal_minutes else trainer.step / config.steps
        batch, rng = drawn
        loss_B = trainer.train_step(batch, progress, rng)
        kind_B = batch.kinds()
        return {f"loss_{kind}": loss_B[torch.from_numpy(kind_B == kind)] for kind in np.unique(kind_B)}

    with _flushed_denormals():
        fit(
            trainer, run, _drawn_ahead(mixtures, config, trainer.step, last), train_step, log_every=config.log_every,
            anneal_minutes=anneal_minutes or 0.0, summarize=_summarize, save=save,
        )  # fmt: skip
    return trainer.average.eval()


def _tell_speakers(trainer: RefinerTrainer, mixtures: Mixtures) -> None:
    """Raises ValueError for a net of another kind."""
    config, net = trainer.config, trainer.net
    if not isinstance(net, ComplexRefiner):
        raise InputError("voice_steps is for nets of kind complex", field="config")
    found = learn_voices(net, mixtures, config.voice_steps, config.seed)
    print(f"voices: {100 * found:.0f} % of the enrollments find their partner among {SPEAKERS}", flush=True)
    trainer.average.load_state_dict(net.state_dict())


def _drawn_ahead(
    mixtures: Mixtures, config: RefinerTrainConfig, first: int, last: int | None
) -> Iterator[tuple[RefinerBatch, np.random.Generator]]:
    """The batch of each step from `first` on, and the generator that goes on with it; made one step ahead, in a thread.

    last: the step after the last one; None: there is no end.
    """

    def make(step: int) -> tuple[RefinerBatch, np.random.Generator]:
        rng = np.random.default_rng((config.seed, step))
        return mixtures.batch(config.batch, rng), rng

    with ThreadPoolExecutor(1) as thread:
        ahead = thread.submit(make, first)
        for step in itertools.count(first) if last is None else range(first, last):
            batch = ahead.result()
            if step + 1 != last:
                ahead = thread.submit(make, step + 1)
            yield batch


@contextlib.contextmanager
def _flushed_denormals() -> Iterator[None]:
    """Gradients through digital silence are so small that a CPU takes thirty times as long for them. Not for the rest of a
    process: other libraries rely on such numbers.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def _started(
    config: RefinerTrainConfig, codec: Codec, finished: str | None
) -> tuple[RefinerTrainConfig, Refiner | None, LoRAAdapter | None]:
    """The recipe with the shape of the net, the finished net to adapt, and the adapter that it has.

    Raises ValueError where they do not fit, and where a task would lose its adapter.
    """
    if (finished is None) != (config.rank == 0) or (finished is None) != (not config.slots):
        raise InputError(
            "a recipe with `rank` and `slots` needs a finished net to change (--adapt), and only such a recipe",
            field="adapt",
        )
    net = None if finished is None else load_refiner(finished, adapter=False)
    config = config.model_copy(update={"net": config.net.for_codec(codec) if net is None else net.config})
    if config.net.codec_hash != codec.hash:
        raise InputError(
            f"{finished} is of codec {config.net.codec_hash}, not of {codec.hash}", field="codec"
        )
    if not set(config.slots) <= set(config.net.slots):
        raise InputError(f"slots: {config.slots} are not among the net's {config.net.slots}", field="config")
    adapter = None if finished is None else REFINER_FOLDER.read_adapter(finished)
    if adapter is not None and (lost := set(adapter.scope.slots) - set(config.slots)):
        raise InputError(
            f"slots: {finished} has an adapter for task slots {sorted(lost)}, which the new one would replace; add them",
            field="slots",
        )
    return config, net, adapter


def _summarize(recent: list[Metrics], seconds: float) -> dict[str, float]:
    """Mean loss of each kind of item, and of all items."""
    losses = {
        kind: torch.cat([r[kind] for r in recent if kind in r])
        for kind in sorted({k for r in recent for k in r})
    }
    row = {kind: float(loss_I.mean()) for kind, loss_I in losses.items()}
    return row | {"loss": float(torch.cat(list(losses.values())).mean()), "per_step": seconds / len(recent)}

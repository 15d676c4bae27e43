"""Trains the aligner with CTC and, where the phone times of an utterance are known, with frame labels.

Legend: B batch, F codec frames, H steps of the aligner, N phones, P phone table, D latent.
`speechx train aligner --config aligner/1-ctc --pack DIR [--pack DIR ...] --codec DIR --output DIR`; with `rank` in the
recipe and `--adapt MODEL/aligner`, a LoRA adapter of a finished one (speechx.models.lora). `--start-from MODEL/aligner`
continues all weights of a finished one.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field

from speechx.data.annotate.alignments import Key
from speechx.data.annotate.codes import TokenRow
from speechx.data.annotate.frame_labels import FrameLabels
from speechx.data.batching import BatchStream
from speechx.errors import InputError
from speechx.models.aligner import Aligner, AlignerConfig
from speechx.models.codec.base import Codec
from speechx.models.config import StrictConfig
from speechx.models.ctc import BLANK, CTCStates
from speechx.models.lora import add_lora
from speechx.training.group import Group
from speechx.training.loop import (
    Checkpoint,
    CheckpointStore,
    Metrics,
    TrainingRun,
    cosine,
    fit,
    rng_state,
    set_learning_rate,
    set_rng_state,
    summary,
    warm_up,
)

ADAPTED_MATRICES = ("enter.", "at_25hz.", "to_50hz.", "at_50hz.", "out.")


LR_FLOOR = 0.02
"""Of the learning rate, at the end."""


class AlignerTrainConfig(StrictConfig):
    """One recipe."""

    aligner: AlignerConfig = AlignerConfig()
    seed: int = 1
    steps: int = 4000
    batch_frames: int = 2400
    lr: float = 2e-3
    warmup: int = 100
    weight_decay: float = 0.02
    max_frames: int = 500
    latent_noise: float = 0.05
    masks: float = Field(0.0, ge=0)  # stretches a second that are not heard (SpecAugment, Park et al. 2019)
    mask_frames: int = Field(5, ge=1)  # of each
    blocks: int = 0  # with a value: a net that is continued grows to so many
    rank: int = 0  # of a LoRA adapter of a finished aligner, which alone is trained then
    languages: tuple[str, ...] = ()  # that the adapter is trained on and used for
    grid: float = 0.0  # of the adapter's factors in the file, see speechx.models.folder.on_grid
    frame_weight: float = 0.0  # of the frame labels' cross entropy, beside CTC
    shares: dict[str, float] = {}  # by language: how often a text is seen, relative to the others (1)
    anneal_minutes: float = 0.0  # with a value: the rate is down, and the run over, after so long or `steps`
    log_every: int = 50


class AlignerTrainer:
    """Holds the network, the optimizer and the step.

    initial: an aligner to adapt, or to continue if the recipe has no `rank`. labels: the utterances with known phone times.
    """

    def __init__(
        self,
        config: AlignerTrainConfig,
        codec: Codec,
        initial: Aligner | None = None,
        labels: Mapping[Key, FrameLabels] | None = None,
        group: Group = Group(),
    ) -> None:
        torch.manual_seed(config.seed)
        self.group = group
        self.config, self.codec, self.labels = config, codec, labels or {}
        self.model = initial or Aligner(config.aligner.for_codec(codec))
        if config.rank:
            add_lora(self.model, config.rank, config.seed, ADAPTED_MATRICES)
        self.opt = torch.optim.AdamW(
            [p for p in self.model.parameters() if p.requires_grad],
            lr=config.lr,
            weight_decay=config.weight_decay,
            betas=(0.9, 0.98),
        )
        self.step = 0
        self.share_of_time = 0.0

    def train_step(self, rows: list[TokenRow]) -> Metrics:
        """One update on a batch of utterances: the whole one, of which this rank takes its rows."""
        config = self.config
        done = max(self.share_of_time, self.step / config.steps)
        set_learning_rate(self.opt, config.lr * warm_up(self.step, config.warmup) * cosine(done, LR_FLOOR))
        frames_B = torch.tensor([len(row.codes_FK) for row in rows])
        codes_BKF = torch.zeros(len(rows), rows[0].codes_FK.shape[1], int(frames_B.max()), dtype=torch.int64)
        for index, row in enumerate(rows):
            codes_BKF[index, :, : len(row.codes_FK)] = torch.from_numpy(row.codes_FK.T.astype(np.int64))
        latent_BFD = self.codec.features(codes_BKF).clone()  # `clone`: no tensor of inference mode
        latent_BFD = latent_BFD + config.latent_noise * latent_BFD.std() * torch.randn_like(latent_BFD)
        if config.masks:
            latent_BFD = latent_BFD * self._heard(*latent_BFD.shape[:2])
        self.model.train()
        self.opt.zero_grad(set_to_none=True)
        mine = self.group.rows
        metrics = self._measure(rows[mine], latent_BFD[mine], frames_B[mine], self.group.share(len(rows)))
        metrics = self.group.sum_gradients([self.opt], metrics)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.opt.step()
        self.step += 1
        return metrics

    def _heard(self, rows: int, frames: int) -> torch.Tensor:
        """1 for the frames that the net hears, 0 for those masked, (B, F, 1)."""
        config = self.config
        chance = config.masks / self.codec.frame_rate
        begins_BF = torch.rand(rows, frames + config.mask_frames - 1) < chance
        masked_BF = begins_BF.unfold(1, config.mask_frames, 1).any(-1)
        return (~masked_BF)[..., None].float()

    def _measure(
        self, rows: list[TokenRow], latent_BFD: torch.Tensor, frames_B: torch.Tensor, share: float
    ) -> Metrics:
        """Takes the gradient of the loss of some rows of a batch, which count as its `share`; losses, detached."""
        config, labeled = self.config, bool(self.config.frame_weight and self.labels)
        if not rows:  # fewer rows than ranks
            return {name: torch.zeros(()) for name in ("loss", "frame_loss")[: 1 + labeled]}
        texts = [torch.from_numpy(row.text.ids) for row in rows if row.text is not None]
        logp_BHP = self.model(latent_BFD)
        loss = ctc_loss = share * F.ctc_loss(
            logp_BHP.transpose(0, 1),
            torch.cat(texts),
            frames_B * self.model.config.steps,
            torch.tensor([len(ids) for ids in texts]),
            blank=BLANK,
            zero_infinity=True,
        )
        metrics = {"loss": ctc_loss.detach()}
        if labeled:
            label_loss = share * frame_loss(logp_BHP, rows, self.labels, self.model.config)
            loss = ctc_loss + config.frame_weight * label_loss
            metrics["frame_loss"] = label_loss.detach()
        loss.backward()
        return metrics

    def state(self) -> Checkpoint:
        return {
            "step": self.step,
            "model": self.model.state_dict(),
            "opt": self.opt.state_dict(),
            "rng": rng_state(),
        }

    def load(self, state: Checkpoint) -> None:
        self.model.load_state_dict(state["model"])
        self.opt.load_state_dict(state["opt"])
        set_rng_state(state["rng"])
        self.step = state["step"]


def frame_loss(
    logp_BHP: torch.Tensor, rows: list[TokenRow], labels: Mapping[Key, FrameLabels], shape: AlignerConfig
) -> torch.Tensor:
    """Cross entropy of the labeled steps, averaged over all steps of the batch.

    The blank has no share in it: CTC alone places it.
    """
    label_BH = torch.full(logp_BHP.shape[:2], -1, dtype=torch.int64)
    for index, row in enumerate(rows):
        found = labels.get((row.row.corpus, row.row.id))
        if found is not None:
            count = len(row.codes_FK) * shape.steps
            label_BH[index, :count] = torch.from_numpy(found.steps(count, shape.step_rate))
    known_BH = label_BH >= 0
    if not bool(known_BH.any()):
        return logp_BHP.sum() * 0.0
    phones_KP = logp_BHP[known_BH][:, BLANK + 1 :].log_softmax(-1)
    return F.nll_loss(phones_KP, label_BH[known_BH] - 1, reduction="sum") / label_BH.numel()


def phone_error_rate(model: Aligner, rows: list[TokenRow], codec: Codec) -> float:
    """Phone error rate of free recognition over some utterances, pauses and silences not counted."""
    errors = total = 0.0
    for row in rows:
        assert row.text is not None
        rate = model.phone_errors(row.codes_FK, row.text, codec)
        errors, total = errors + rate * len(row.text.ids), total + len(row.text.ids)
    return errors / max(1.0, total)


def train(
    config: AlignerTrainConfig, rows: list[TokenRow], dev: list[TokenRow], codec: Codec, out: str,
    resume: bool = False, max_minutes: float | None = None, finished: Aligner | None = None,
    start_from: Aligner | None = None, labels: Mapping[Key, FrameLabels] | None = None,
    group: Group = Group(), store: CheckpointStore | None = None,
) -> Aligner:  # fmt: skip
    """Runs the recipe; leaves the aligner in `out`/model.

    finished: the one to adapt (`rank`). start_from: the one whose weights are continued. labels: frame labels of some rows.
    Raises ValueError for `finished` without `rank` or the reverse, for `finished` beside `start_from`, and for weights of
    another codec.
    """
    _check_first(config, codec, finished, start_from)
    if config.languages:
        rows, dev = ([r for r in part if r.row.language in config.languages] for part in (rows, dev))
    if start_from is not None and config.blocks:
        start_from = start_from.grown(config.blocks)
    ready = finished or start_from
    steps = ready.config.steps if ready else config.aligner.for_codec(codec).steps
    usable = usable_rows(rows, config.max_frames, steps)
    run = TrainingRun(out, max_minutes, group=group, store=store)
    plain = copy.deepcopy(finished)
    trainer = AlignerTrainer(config, codec, finished or start_from, labels, group)
    if run.resumes(resume):
        trainer.load(run.load())
    shares = [config.shares.get(r.row.language or "", 1.0) for r in usable]
    stream = BatchStream(
        [len(r.codes_FK) for r in usable],
        config.batch_frames,
        config.seed,
        np.array(shares) if config.shares else None,
    )

    def summarize(recent: list[Metrics], seconds: float) -> dict[str, float]:
        row = summary(recent, seconds)
        if dev and trainer.step % (config.log_every * 4) == 0:
            trainer.model.eval()
            row["dev_per"] = phone_error_rate(trainer.model, dev, codec)
        return row

    batches = ([usable[i] for i in stream.batch(step)] for step in range(trainer.step, config.steps))
    fit(
        trainer, run, batches, trainer.train_step, log_every=config.log_every,
        anneal_minutes=config.anneal_minutes, summarize=summarize,
    )  # fmt: skip
    if not group.first:
        return trainer.model
    if plain is None:
        trainer.model.eval().save(Path(out) / "model")
    else:
        plain.save(Path(out) / "model")
        trainer.model.eval().save_adapter(Path(out) / "model", config.languages, config.grid)
    return trainer.model


def _check_first(
    config: AlignerTrainConfig, codec: Codec, finished: Aligner | None, start_from: Aligner | None
) -> None:
    """Raises ValueError where the weights to begin with do not go with the recipe, the codec or each other."""
    if (finished is None) != (config.rank == 0) or (finished is None) != (not config.languages):
        raise InputError(
            "a recipe with `rank` and `languages` needs a finished aligner to change (--adapt), and only such a recipe",
            field="adapt",
        )
    if config.blocks and start_from is None:
        raise InputError(
            "a recipe with `blocks` needs an aligner that grows (--start-from)", field="start_from"
        )
    if start_from is not None and finished is not None:
        raise InputError("an aligner is either adapted (--adapt) or continued (--start-from)", field="adapt")
    for option, given in (("--adapt", finished), ("--start-from", start_from)):
        if given is not None and given.config.codec_hash != codec.hash:
            raise InputError(
                f"{option}: an aligner of codec {given.config.codec_hash}, not {codec.hash}",
                field="start_from",
            )


def usable_rows(rows: list[TokenRow], max_frames: int, steps: int) -> list[TokenRow]:
    """The utterances with a text and a length that CTC can train on. Raises ValueError where there is none.

    steps: of the aligner, in a frame.
    """
    usable = [r for r in rows if r.text is not None and 10 <= len(r.codes_FK) <= max_frames]
    usable = [r for r in usable if CTCStates.of(r.text).shortest() < 0.9 * steps * len(r.codes_FK)]  # type: ignore[arg-type]
    # CTC cannot have its blank, the unknown phone, in a text.
    usable = [r for r in usable if r.text is not None and bool((r.text.ids != BLANK).all())]
    if not usable:
        raise InputError(
            "no utterance has both text and a usable length: the aligner needs transcripts", field="pack"
        )
    return usable

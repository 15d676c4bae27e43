"""Trains the codec: reconstruction and semantic distillation first, the discriminators join later.

Legend: B batch, T samples, F frames, E teacher dimension.
`speechx train codec --config codec/1-cpu --pack DIR --output DIR`
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Subset

from speechx.data.crops import CropDataset
from speechx.data.packs import AudioPack
from speechx.errors import InputError
from speechx.models.codec.excitation import NOISE_HOPS
from speechx.models.codec.folder import load_codec
from speechx.models.codec.quantizer import codebook_use
from speechx.models.codec.spectral import SpectralCodec
from speechx.training.codec_config import CodecTrainConfig
from speechx.training.codec_losses import (
    EnvelopeLoss,
    MultiScaleMel,
    anchor_losses,
    distillation_loss,
    pitch_losses,
)
from speechx.training.discriminators import Discriminators, discriminator_loss, generator_loss
from speechx.training.group import CropRanks, Group
from speechx.training.loop import (
    Checkpoint,
    CheckpointStore,
    Metrics,
    TrainingRun,
    compiled,
    cosine,
    fit,
    mean_metrics,
    read_checkpoint,
    rng_state,
    set_learning_rate,
    set_rng_state,
    update_average,
    warm_up,
)
from speechx.training.recognizer_loss import RecognizerLoss


class CodecTrainer:
    """Holds the networks, the optimizers and the step."""

    def __init__(self, config: CodecTrainConfig, device: str, group: Group = Group()) -> None:
        torch.manual_seed(config.seed)
        group.check_batch(config.batch)
        self.config, self.device, self.group = config, torch.device(device), group
        self.share = group.share(config.batch)
        self.codec = SpectralCodec(config.codec).to(self.device)
        self.codec.share_batches(CropRanks(group, config.crop_frames))
        # Read the quantized semantic latent in the teacher's space; needed in training only.
        self.to_teacher = nn.Linear(config.codec.quantizer_dim, config.codec.teacher_dim).to(self.device)
        self.judges = Discriminators(config.stft_sizes, config.periods, config.channels).to(self.device)
        self.mel = MultiScaleMel(config.codec.sample_rate).to(self.device)
        self.envelope = EnvelopeLoss(config.codec.stft_hop).to(self.device)
        self.recognizer: RecognizerLoss | None = None
        if config.recognizer:
            self.recognizer = RecognizerLoss(
                config.recognizer, self.codec.sample_rate, config.recognizer_layers
            )
            self.recognizer.to(self.device)
        for name, parameter in self.codec.named_parameters():
            parameter.requires_grad_(not self._fixed(name))
        trained = [p for p in self.codec.parameters() if p.requires_grad]
        teaches = not (config.decoder_only or config.semantic_fixed)
        generator = [*trained, *(self.to_teacher.parameters() if teaches else ())]
        options: dict[str, Any] = {"betas": config.betas, "weight_decay": config.weight_decay}
        self.opt_g = torch.optim.AdamW(generator, lr=config.lr, **options)
        self.opt_d = torch.optim.AdamW(self.judges.parameters(), lr=config.lr_discriminators, **options)
        self.average = copy.deepcopy(self.codec).eval().requires_grad_(False)
        self.step = 0
        self.share_of_time = 0.0
        self.joined: int | None = None  # the step at which the discriminators joined
        self.net: Any = compiled(self.codec) if config.compile else self.codec
        self.judge: Any = compiled(self.judges, dynamic=False) if config.compile else self.judges

    def _fixed(self, name: str) -> bool:
        """Whether the recipe leaves this parameter of the codec alone."""
        config = self.config
        if config.decoder_only:
            return not name.startswith("decoder.")
        return (
            config.semantic_fixed and name.startswith("encoder.") and not name.startswith("encoder.acoustic")
        )

    def _autocast(self, judging: bool = False) -> torch.autocast:
        wanted = self.config.bf16 and not (judging and self.device.type == "cpu")
        return torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=wanted)

    def _schedule(self) -> None:
        config = self.config
        factor = cosine(max(self.share_of_time, self.step / config.steps), config.lr_final / config.lr)
        set_learning_rate(self.opt_g, config.lr * warm_up(self.step, config.warmup) * factor)
        set_learning_rate(self.opt_d, config.lr_discriminators * factor)

    def train_step(
        self,
        wav_BT: torch.Tensor,
        teacher_BFE: torch.Tensor,
        mask_B: torch.Tensor,
        f0_BS: torch.Tensor,
        has_f0_B: torch.Tensor,
    ) -> dict[str, torch.Tensor]:
        """One update of the codec and, in the adversarial stage, of the discriminators. Arguments: this rank's rows."""
        config, whole = self.config, self.config.batch if self.group.world > 1 else len(wav_BT)
        self._schedule()
        self.codec.train()
        noise_from = int(torch.randint(0, NOISE_HOPS, ()))
        if config.decoder_only:
            codes_BKF = self.codec.encode(wav_BT)  # in full precision, as it will be
            with self._autocast():
                out = self.codec.redecode(codes_BKF, f0_BS, noise_from)
            return self._update(out, wav_BT, f0_BS, has_f0_B, {})
        if config.semantic_fixed:
            self.codec.semantic_quantizer.eval()
        keep_B = torch.full((whole,), config.codec.num_codebooks, device=self.device)
        dropped_B = torch.rand(whole, device=self.device) < config.quantizer_dropout
        keep_B = torch.where(dropped_B, torch.randint_like(keep_B, 1, config.codec.num_codebooks), keep_B)
        keep_B = keep_B[self.group.rows]
        with self._autocast():
            out = self.net(wav_BT, keep_B, f0_BS, noise_from)
            teach = [self.to_teacher(out["semantic_q_BFD"]), self.to_teacher(out["semantic_BFD"])]
        of_codes = {"commit": out["commit"] * self.share}
        if not config.semantic_fixed:
            distill = [distillation_loss(t, teacher_BFE, mask_B, self.group) for t in teach]
            of_codes["distill"] = torch.stack(distill).mean()
        bend, tone = anchor_losses(out["bend_BFD"].float(), f0_BS, has_f0_B)
        of_codes["bend"], of_codes["tone"] = bend * self.share, tone * self.share
        return self._update(out, wav_BT, f0_BS, has_f0_B, of_codes)

    def _update(
        self,
        out: dict[str, torch.Tensor],
        wav_BT: torch.Tensor,
        f0_BS: torch.Tensor,
        has_f0_B: torch.Tensor,
        of_codes: dict[str, torch.Tensor],
    ) -> dict[str, torch.Tensor]:
        """Losses of what came out, with those of the encoder, and the steps of the optimizers."""
        config = self.config
        made_BT = out["wav_BT"].float()
        mel, fine, convergence = (loss * self.share for loss in self.mel(made_BT, wav_BT))
        envelope = self.envelope(out["level_BSN"], wav_BT) * self.share
        loss = (
            config.w_mel * mel
            + config.w_fine * fine
            + config.w_envelope * envelope
            + config.w_convergence * convergence
        )
        for name, value in of_codes.items():
            loss = loss + getattr(config, f"w_{name}") * value
        octave, voicing = pitch_losses(out["octave_BS"], out["voicing_BS"], f0_BS, has_f0_B, self.group)
        loss = loss + config.w_pitch * (octave + voicing)
        metrics = {"mel": mel, "fine": fine, "env": envelope, "conv": convergence, **of_codes}
        metrics |= {"octave": octave, "voicing": voicing}
        if self.recognizer is not None:
            with self._autocast():
                heard = self.recognizer(made_BT, wav_BT) * self.share
            loss, metrics["heard"] = loss + config.w_recognizer * heard, heard
        if self._judged():
            judged, of_judges = self._adversarial(wav_BT, made_BT)
            loss, metrics = loss + judged, metrics | of_judges
        self.opt_g.zero_grad(set_to_none=True)
        loss.backward()
        metrics = self.group.sum_gradients([self.opt_g], metrics)
        metrics["grad"] = nn.utils.clip_grad_norm_(self.codec.parameters(), config.clip)
        self.opt_g.step()
        update_average(self.average, self.codec, self.step, config.ema)
        self.step += 1
        return metrics | {"codes": out["codes_BKF"]}

    def _judged(self) -> bool:
        """Whether the discriminators have joined; they join at a step or at a share of the time."""
        config = self.config
        if self.joined is None and (
            self.step >= config.adversarial_from or self.share_of_time >= config.adversarial_from_share
        ):
            self.joined = self.step
        return self.joined is not None

    def _adversarial(self, wav_BT: torch.Tensor, made_BT: torch.Tensor) -> tuple[torch.Tensor, Metrics]:
        """One update of the discriminators on a stretch of the crop; the codec's weighted loss, and metrics."""
        config = self.config
        assert self.joined is not None
        length = int(config.adversarial_seconds * config.codec.sample_rate)
        start = int(torch.randint(0, max(1, wav_BT.shape[1] - length + 1), ()))
        real_BT, fake_BT = wav_BT[:, start : start + length], made_BT[:, start : start + length]
        with self._autocast(judging=True):
            loss_d = discriminator_loss(self.judge(real_BT), self.judge(fake_BT.detach())) * self.share
        self.opt_d.zero_grad(set_to_none=True)
        loss_d.backward()
        self.group.sum_gradients([self.opt_d], {})
        self.opt_d.step()
        self.judges.requires_grad_(False)
        with self._autocast(judging=True):
            with torch.no_grad():
                real = self.judge(real_BT)
            adversarial, matching = generator_loss(real, self.judge(fake_BT), self.group, self.share)
        self.judges.requires_grad_(True)
        ramp = min(1.0, (self.step - self.joined) / 500)
        loss = ramp * (config.w_adversarial * adversarial + config.w_matching * matching)
        return loss, {"disc": loss_d, "adv": adversarial, "match": matching}

    def state(self) -> Checkpoint:
        def full(module: nn.Module) -> dict[str, torch.Tensor]:
            return dict(module.named_parameters()) | dict(module.named_buffers())

        return {
            "step": self.step, "joined": self.joined, "config": self.config.model_dump(), "codec": full(self.codec),
            "average": full(self.average), "to_teacher": self.to_teacher.state_dict(),
            "judges": self.judges.state_dict(), "opt_g": self.opt_g.state_dict(), "opt_d": self.opt_d.state_dict(),
            "rng": rng_state(self.device),
        }  # fmt: skip

    def start(self, path: str) -> None:
        """Begins a new recipe with the weights of a checkpoint, or of a codec folder (nothing but the codec, then).

        Raises InputError for a file that is no checkpoint of a codec, and where a part that the recipe leaves as it is has
        another shape in it.
        """
        if Path(path).is_dir():
            codec = load_codec(path)
            weights = dict(codec.named_parameters()) | dict(codec.named_buffers())
            state = self.state() | {"codec": weights, "average": weights}
        else:
            state = read_checkpoint(path, "average")
            weights = state["average"]
        for name, value in (dict(self.codec.named_parameters()) | dict(self.codec.named_buffers())).items():
            fits = name in weights and weights[name].shape == value.shape
            if self.config.leaves_parts and self._fixed(name) and not fits:
                raise InputError(
                    f"start-from: {name} in {path} does not fit the recipe's codec, and the recipe leaves it as it is",
                    field="start_from",
                )
        self.load(state, weights_only=True)

    @torch.no_grad()
    def load(self, state: Checkpoint, weights_only: bool = False) -> None:
        """`weights_only`: start a new recipe from these weights (optimizers and step begin afresh).

        A recipe that leaves parts alone starts from the averaged weights as they are stored: its codes are those of the
        codec that was exported. A module one of whose tensors has another shape begins anew.
        """
        if weights_only and self.config.leaves_parts:
            stored = {name: value.half().float() for name, value in state["average"].items()}
            state = state | {"codec": stored, "average": stored}
        for module, key in ((self.codec, "codec"), (self.average, "average")):
            own = dict(module.named_parameters()) | dict(module.named_buffers())
            other = {
                n.rpartition(".")[0] for n, v in state[key].items() if n in own and own[n].shape != v.shape
            }
            fits = {n: v for n, v in state[key].items() if n in own and n.rpartition(".")[0] not in other}
            for name, value in fits.items():
                own[name].copy_(value)
            missing = sorted(set(own) - set(fits))
            if missing and not weights_only:
                raise InputError(
                    f"the checkpoint has no {missing[0]}: start from its weights instead of resuming it",
                    field="resume",
                )
        self.to_teacher.load_state_dict(state["to_teacher"])
        own_judges = self.judges.state_dict()
        shapes = {name: value.shape for name, value in state["judges"].items()}
        if shapes == {name: value.shape for name, value in own_judges.items()}:
            self.judges.load_state_dict(state["judges"])
        elif not weights_only:
            raise InputError(
                "the checkpoint has other discriminators: start from its weights instead of resuming it",
                field="resume",
            )
        if not weights_only:
            self.opt_g.load_state_dict(state["opt_g"])
            self.opt_d.load_state_dict(state["opt_d"])
            set_rng_state(state["rng"], self.device)
            self.step = state["step"]
            late = self.step > self.config.adversarial_from  # the first checkpoints did not tell
            self.joined = state.get("joined", self.config.adversarial_from if late else None)


def train(
    config: CodecTrainConfig,
    pack: str,
    out: str,
    resume: bool,
    device: str,
    max_minutes: float | None,
    start_from: str | None = None,
    group: Group = Group(),
    store: CheckpointStore | None = None,
) -> CodecTrainer:
    """Runs the recipe until its steps or the minutes are over; leaves `last.pt` in `out`."""
    audio = AudioPack(pack)
    if audio.sample_rate != config.codec.sample_rate:
        raise InputError(
            f"pack: {pack} has {audio.sample_rate:,} Hz, the recipe's codec {config.codec.sample_rate:,}; "
            f"prepare it with --rate {config.codec.sample_rate}",
            field="pack",
        )
    run = TrainingRun(out, max_minutes, group=group, store=store)
    trainer = CodecTrainer(config, device, group)
    if run.resumes(resume):
        trainer.load(run.load())
    elif start_from:
        trainer.start(start_from)
    data = CropDataset(
        audio, config.crop_frames, config.steps * config.batch, config.seed, config.corpus_weights
    )
    first = trainer.step * config.batch
    mine_SB = np.arange(first, len(data)).reshape(-1, config.batch)[:, group.rows]
    todo = Subset(data, mine_SB.ravel())  # type: ignore[arg-type]  # any sequence will do
    # A loader draws a seed when it is opened; from a generator of its own, or a resumed run would be one draw ahead.
    own = torch.Generator()
    loader = DataLoader(
        todo,
        batch_size=mine_SB.shape[1],
        num_workers=config.workers,
        drop_last=True,
        pin_memory=device == "cuda",
        generator=own,
    )

    def train_step(batch: list[torch.Tensor]) -> Metrics:
        items = [item.to(trainer.device, non_blocking=True) for item in batch]
        return {k: v.detach() for k, v in trainer.train_step(*items).items()}

    def summarize(recent: list[Metrics], seconds: float) -> dict[str, float]:
        codes_BKF = [metrics.pop("codes") for metrics in recent][-1]  # of this rank's rows
        use = codebook_use(codes_BKF, config.codec.codebook_size)
        speed = len(recent) * config.batch * config.crop_frames / trainer.codec.frame_rate / seconds
        return mean_metrics(recent) | {"use1": use[0], "use2": use[1], "use8": use[-1], "xrt": speed}

    fit(
        trainer, run, loader, train_step, log_every=config.log_every, anneal_minutes=config.anneal_minutes,
        summarize=summarize,
    )  # fmt: skip
    return trainer

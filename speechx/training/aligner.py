"""Trains the aligner by the full sum over all alignments of a text, without blanks.

Legend: B batch, F codec frames, H half frames (50 Hz), S chain states, P phone table, D latent.
`speechx train aligner --config configs/aligner.yaml --pack DIR --codec DIR --out DIR`
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from pydantic import BaseModel, ConfigDict

from speechx.aligner import PRIOR_SCALE, Aligner, AlignerConfig, Chain, edit_distance, features, free_phones
from speechx.codec.spectral import SpectralCodec
from speechx.data.tokens import TokenRow
from speechx.training.run import Run, rng_state, set_rng_state

NEGATIVE = -1e9


class AlignerTrainConfig(BaseModel):
    """One recipe. An unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    aligner: AlignerConfig = AlignerConfig()
    seed: int = 1
    steps: int = 4000
    batch_frames: int = 2400
    lr: float = 2e-3
    warmup: int = 100
    weight_decay: float = 0.02
    max_frames: int = 500
    latent_noise: float = 0.05
    prior_decay: float = 0.98
    log_every: int = 50

    @classmethod
    def read(cls, path: str | Path) -> AlignerTrainConfig:
        return cls(**yaml.safe_load(Path(path).read_text()))


def occupation(
    score_BHS: torch.Tensor, optional_BS: torch.Tensor, steps_B: torch.Tensor, states_B: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Forward-backward over the chains of a batch.

    score_BHS: log emission of each state at each step; optional_BS: states that may be skipped; steps_B, states_B:
    lengths.
    Returns (occupation probabilities (B, H, S), log-likelihood (B,)). Chains are padded on the right.
    """
    batch, steps, states = score_BHS.shape
    inside_BS = torch.arange(states)[None] < states_B[:, None]
    score_BHS = score_BHS.masked_fill(~inside_BS[:, None], NEGATIVE)
    skip_BS = torch.full((batch, states), NEGATIVE)
    skip_BS[:, 2:] = torch.where(optional_BS[:, 1:-1], 0.0, NEGATIVE)
    pad = torch.full((batch, 2), NEGATIVE)
    alpha_BHS = torch.empty_like(score_BHS)
    now_BS = torch.full((batch, states), NEGATIVE)
    now_BS[:, 0] = 0.0
    now_BS[:, 1] = torch.where(optional_BS[:, 0], 0.0, NEGATIVE)
    now_BS = now_BS + score_BHS[:, 0]
    alpha_BHS[:, 0] = now_BS
    for step in range(1, steps):
        wide = torch.cat([pad, now_BS], 1)
        now_BS = (
            torch.logsumexp(torch.stack([now_BS, wide[:, 1:-1], wide[:, :-2] + skip_BS]), 0)
            + score_BHS[:, step]
        )
        alpha_BHS[:, step] = now_BS
    rows = torch.arange(batch)
    last_BS = alpha_BHS[rows, steps_B - 1]
    final_BS = torch.full((batch, states), NEGATIVE)
    final_BS[rows, states_B - 1] = 0.0
    final_BS[rows, states_B - 2] = torch.where(optional_BS[rows, states_B - 1], 0.0, NEGATIVE)
    total_B = torch.logsumexp(last_BS + final_BS, 1)
    beta_BHS = torch.full_like(score_BHS, NEGATIVE)
    now_BS = final_BS
    beta_BHS[:, steps - 1] = now_BS
    skip_next_BS = torch.cat([skip_BS[:, 2:], pad], 1)
    for step in range(steps - 2, -1, -1):
        ahead = now_BS + score_BHS[:, step + 1]
        wide = torch.cat([ahead, pad], 1)
        moved = torch.logsumexp(torch.stack([ahead, wide[:, 1:-1], wide[:, 2:] + skip_next_BS]), 0)
        # Before an item's own end its recursion starts from the final states.
        now_BS = torch.where((step < steps_B - 1)[:, None], moved, final_BS)
        beta_BHS[:, step] = now_BS
    # Past an item's end alpha goes on over padding: masked before the exponential, which would overflow there.
    valid_BH = torch.arange(steps)[None] < steps_B[:, None]
    log_gamma_BHS = (alpha_BHS + beta_BHS - total_B[:, None, None]).masked_fill(~valid_BH[..., None], NEGATIVE)
    return log_gamma_BHS.exp(), total_B


class AlignerTrainer:
    """Holds the network, the optimizer and the step."""

    def __init__(self, config: AlignerTrainConfig, codec: SpectralCodec) -> None:
        torch.manual_seed(config.seed)
        self.config, self.codec = config, codec
        shape = {"codec_hash": codec.hash, "latent_dim": 2 * codec.config.quantizer_dim}
        self.model = Aligner(config.aligner.model_copy(update=shape))
        self.opt = torch.optim.AdamW(
            self.model.parameters(), lr=config.lr, weight_decay=config.weight_decay, betas=(0.9, 0.98)
        )
        self.step = 0

    def train_step(self, rows: list[TokenRow]) -> dict[str, float]:
        """One update on a batch of utterances."""
        config = self.config
        warm = min(1.0, (self.step + 1) / config.warmup)
        for group in self.opt.param_groups:
            group["lr"] = (
                config.lr
                * warm
                * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1, self.step / config.steps))))
            )
        frames_B = torch.tensor([len(row.codes_FK) for row in rows])
        codes_BKF = torch.zeros(len(rows), rows[0].codes_FK.shape[1], int(frames_B.max()), dtype=torch.int64)
        chains = [Chain.of(row.text) for row in rows if row.text is not None]
        states_B = torch.tensor([len(chain.phones_S) for chain in chains])
        phones_BS = torch.ones(len(rows), int(states_B.max()), dtype=torch.int64)
        optional_BS = torch.zeros_like(phones_BS, dtype=torch.bool)
        for index, (row, chain) in enumerate(zip(rows, chains, strict=True)):
            codes_BKF[index, :, : len(row.codes_FK)] = torch.from_numpy(row.codes_FK.T.astype(np.int64))
            phones_BS[index, : len(chain.phones_S)] = torch.from_numpy(chain.phones_S)
            optional_BS[index, : len(chain.phones_S)] = torch.from_numpy(chain.optional_S)
        latent_BFD = features(codes_BKF, self.codec)
        latent_BFD = latent_BFD + config.latent_noise * latent_BFD.std() * torch.randn_like(latent_BFD)
        self.model.train()
        logp_BHP = self.model(latent_BFD)
        steps_B = frames_B * 2
        index_BHS = phones_BS[:, None].expand(-1, logp_BHP.shape[1], -1)
        with torch.no_grad():
            scaled = (logp_BHP.detach() - PRIOR_SCALE * self.model.log_prior_P).gather(2, index_BHS)
            gamma_BHS, total_B = occupation(scaled, optional_BS, steps_B, states_B)
        # With the occupations held fixed, the gradient is that of the full sum.
        loss = -(gamma_BHS * logp_BHP.gather(2, index_BHS)).sum() / steps_B.sum()
        self.opt.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.opt.step()
        with torch.no_grad():
            valid_BH = torch.arange(logp_BHP.shape[1])[None] < steps_B[:, None]
            mean_P = logp_BHP[valid_BH].exp().mean(0)
            prior_P = self.model.log_prior_P.exp().lerp(mean_P, 1 - config.prior_decay)
            self.model.log_prior_P.copy_(prior_P.clamp_min(1e-4).log())
        self.step += 1
        return {"loss": float(loss.detach()), "likelihood": float((total_B / steps_B).mean())}

    def state(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "model": self.model.state_dict(),
            "opt": self.opt.state_dict(),
            "rng": rng_state(),
        }

    def load(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.opt.load_state_dict(state["opt"])
        set_rng_state(state["rng"])
        self.step = state["step"]


def batches(rows: list[TokenRow], frames: int, seed: int, step: int) -> list[TokenRow]:
    """The batch of a step: utterances of like length, so that little is padding. A function of (seed, step) alone."""
    rng = np.random.default_rng((seed, step))
    center = int(rng.integers(len(rows)))
    picked: list[TokenRow] = []
    longest = 0
    for offset in rng.permutation(200) - 100:
        row = rows[(center + int(offset)) % len(rows)]
        longest = max(longest, len(row.codes_FK))
        if picked and longest * (len(picked) + 1) > frames:
            break
        picked.append(row)
    return picked


def phone_error_rate(model: Aligner, rows: list[TokenRow], codec: SpectralCodec) -> float:
    """Phone error rate of free recognition over some utterances, pauses and silences not counted."""
    errors = total = 0.0
    for row in rows:
        assert row.text is not None
        rate = model.phone_errors(row.codes_FK, row.text, codec)
        errors, total = errors + rate * len(row.text.ids), total + len(row.text.ids)
    return errors / max(1.0, total)


def train(
    config: AlignerTrainConfig, rows: list[TokenRow], dev: list[TokenRow], codec: SpectralCodec, out: str,
    resume: bool = False, max_minutes: float | None = None,
) -> Aligner:  # fmt: skip
    """Runs the recipe; leaves the aligner in `out`/model."""
    usable = [r for r in rows if r.text is not None and 10 <= len(r.codes_FK) <= config.max_frames]
    usable = [r for r in usable if Chain.of(r.text).shortest() < 1.8 * len(r.codes_FK)]  # type: ignore[arg-type]
    usable.sort(key=lambda r: len(r.codes_FK))
    if not usable:
        raise ValueError("no utterance has both text and a usable length: the aligner needs transcripts")
    run = Run(out, max_minutes)
    trainer = AlignerTrainer(config, codec)
    if resume and run.checkpoint.is_file():
        trainer.load(run.load())
    clock, recent = time.monotonic(), []
    while trainer.step < config.steps and not run.out_of_time():
        recent.append(trainer.train_step(batches(usable, config.batch_frames, config.seed, trainer.step)))
        if trainer.step % config.log_every == 0:
            mean = {k: float(np.mean([r[k] for r in recent])) for k in recent[0]}
            if dev and trainer.step % (config.log_every * 4) == 0:
                trainer.model.eval()
                mean["dev_per"] = phone_error_rate(trainer.model, dev, codec)
            mean["per_step"] = (time.monotonic() - clock) / len(recent)
            run.log(trainer.step, mean)
            clock, recent = time.monotonic(), []
        if run.save_due():
            run.save(trainer.state())
    run.save(trainer.state())
    trainer.model.eval().save(Path(out) / "model")
    return trainer.model


__all__ = ["AlignerTrainConfig", "AlignerTrainer", "edit_distance", "free_phones", "occupation", "train"]

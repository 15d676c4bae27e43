"""What a refiner is trained to bring down: distances of compressed spectra, and for extraction those of sounds.

Legend: B batch, M STFT frames, F bins, N bands.
"""

from __future__ import annotations

import torch

from speechx.models.refiner import Refiner
from speechx.task import registry
from speechx.training.refiner_data import EXTRACTION
from speechx.training.refiner_recipe import RefinerTrainConfig

__all__ = ["RefinerLoss", "si_sdr"]


class RefinerLoss:
    """How far a spectrum is from the true one.

    Differences of magnitudes to the power 0.3, squared; too little of the target counts (1 + cut_off) times: a word that is
    cut off is worse than noise that stays. complex: weight of the same with the phase. log: weight of the distance of
    log spectra, for the task whose output is noise. sound: weight of the frames in which that noise is audible. si_sdr:
    weight of a dB of SI-SDR (Le Roux et al. 2019), for extraction where the wanted speaker is there.
    """

    def __init__(self, config: RefinerTrainConfig, net: Refiner) -> None:
        self.config = config
        density_F = net.gather_FN.sum(1)
        # Half by bins, half by bands: speech is mostly below 4 kHz.
        self.weight_F = 0.5 + 0.5 * density_F / density_F.mean()
        self.gather_FN = net.gather_FN
        backgrounds = {t.slot for t in registry.tasks().values() if t.mask_target == "background"}
        wanted = registry.task(EXTRACTION).slot
        self.extraction = config.net.slots.index(wanted) if wanted in config.net.slots else -1
        self.noise = next((i for i, slot in enumerate(config.net.slots) if slot in backgrounds), -1)

    def __call__(
        self, output_BMF: torch.Tensor, target_BMF: torch.Tensor, task_B: torch.Tensor
    ) -> torch.Tensor:
        """Loss of each item, (B,)."""
        config = self.config
        power_BMF, true_BMF = (x.real.square() + x.imag.square() for x in (output_BMF, target_BMF))
        small_BMF, true_small_BMF = ((x + 1e-7) ** 0.15 for x in (power_BMF, true_BMF))
        less_BMF = true_small_BMF - small_BMF
        noise_B = (task_B == self.noise).float()
        cut_off_B11 = (config.cut_off * (1 - noise_B))[:, None, None]
        size_BMF = less_BMF.square() * (1 + cut_off_B11 * (less_BMF > 0))
        turned = output_BMF * (small_BMF / (power_BMF + 1e-7).sqrt())
        true_turned = target_BMF * (true_small_BMF / (true_BMF + 1e-7).sqrt())
        difference = turned - true_turned
        phase_BMF = difference.real.square() + difference.imag.square()
        loss_BM = ((size_BMF + config.complex * phase_BMF) * self.weight_F).mean(2)
        log_BMN, true_log_BMN = (((x @ self.gather_FN) + 1e-6).log() for x in (power_BMF, true_BMF))
        distance_BM = ((log_BMN - true_log_BMN).square().mean(-1) + 1e-4).sqrt()
        loss_BM = loss_BM + config.log * noise_B[:, None] * distance_BM
        true_BM = true_BMF.sum(2)
        heard_BM = true_BM > 1e-4 * true_BM.amax(1, keepdim=True).clamp_min(1e-3)
        weight_BM = 1 + (config.sound - 1) * noise_B[:, None] * heard_BM
        loss_B = (loss_BM * weight_BM).sum(1) / weight_BM.sum(1)
        if not self.config.si_sdr:
            return loss_B
        there_B = (task_B == self.extraction) & (true_BM.sum(1) > 0)
        return loss_B - self.config.si_sdr * there_B * si_sdr(output_BMF, target_BMF)


def si_sdr(output_BMF: torch.Tensor, target_BMF: torch.Tensor) -> torch.Tensor:
    """dB (B,), at most 30, of spectra: their windows add up to one, so products are those of the sounds."""
    inner_B = (output_BMF.real * target_BMF.real + output_BMF.imag * target_BMF.imag).sum((1, 2))
    power_B, true_B = ((x.real.square() + x.imag.square()).sum((1, 2)) for x in (output_BMF, target_BMF))
    explained_B = inner_B.square() / true_B.clamp_min(1e-6)
    return 10 * torch.log10((explained_B + 1e-6) / (power_B - explained_B + 1e-3 * explained_B + 1e-6))

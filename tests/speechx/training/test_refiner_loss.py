"""What the refiner is trained to bring down."""

from __future__ import annotations

import numpy as np
import torch

from speechx.models.refiner import make_refiner
from speechx.training.refiner import RefinerTrainer
from speechx.training.refiner_loss import RefinerLoss, si_sdr
from speechx.training.refiner_recipe import RefinerTrainConfig


def test_frames_with_sound_weigh_more() -> None:
    """Of removal; a sound that is left out costs more, speech where there is none costs less."""
    config = RefinerTrainConfig()
    sound = RefinerTrainConfig(sound=4.0)
    net = make_refiner(config.net)
    target = torch.zeros(2, 20, 257, dtype=torch.complex64)
    target[:, 5:8] = 1.0
    left_out, left_in = 0 * target, target + 0.1 * (target == 0)
    task_B = torch.tensor([0, 2])
    for output, more in ((left_out, True), (left_in, False)):
        before, after = (RefinerLoss(c, net)(output, target, task_B) for c in (config, sound))
        assert torch.equal(before[0], after[0]), "another task"
        assert bool(after[1] > before[1]) == more


def test_si_sdr_of_spectra_is_that_of_the_sounds() -> None:
    rng = np.random.default_rng(0)
    target_BT, noise_BT = torch.from_numpy(rng.standard_normal((2, 3, 8000), np.float32))
    trainer = RefinerTrainer(RefinerTrainConfig())
    output_BT = 0.5 * target_BT + torch.tensor([[0.1], [0.2], [0.5]]) * noise_BT
    projected_BT = target_BT * ((output_BT * target_BT).sum(1) / target_BT.square().sum(1))[:, None]
    true_B = 10 * torch.log10(projected_BT.square().sum(1) / (output_BT - projected_BT).square().sum(1))
    assert (si_sdr(trainer.spectrum(output_BT), trainer.spectrum(target_BT)) - true_B).abs().max() < 0.2
    assert torch.isfinite(si_sdr(*[torch.zeros(1, 4, 257, dtype=torch.complex64)] * 2)).all()

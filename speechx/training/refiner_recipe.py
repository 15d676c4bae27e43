"""Everything that a recipe of the refiner may set."""

from __future__ import annotations

from speechx.models.config import StrictConfig
from speechx.models.refiner import RefinerConfig
from speechx.training.refiner_data import RefinerShares


class RefinerTrainConfig(StrictConfig):
    """One recipe. See `RefinerLoss` for what the weights mean."""

    net: RefinerConfig = RefinerConfig()
    shares: RefinerShares = RefinerShares()
    seed: int = 1
    steps: int = 2000
    batch: int = 24
    seconds: float = 4.0
    lr: float = 2e-3
    warmup: int = 100
    weight_decay: float = 0.01
    average: float = 0.995
    grid: float = (
        0.25  # see speechx.models.folder.on_grid; in the last part of training the net learns with it
    )
    grid_from: float = 0.7
    cut_off: float = 1.0
    complex: float = 0.3
    log: float = 0.02
    sound: float = 1.0
    si_sdr: float = 0.0
    rank: int = 0  # of a LoRA adapter of a finished net, which alone is trained then
    slots: tuple[int, ...] = ()  # tasks that the adapter is used for
    voice_steps: int = 0  # of kind complex: in which it learns to tell speakers, before all others
    log_every: int = 25

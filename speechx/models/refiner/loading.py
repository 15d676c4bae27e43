"""Refiners of either kind, new or from a folder."""

from __future__ import annotations

from pathlib import Path

from speechx.models.lora import AdaptedCopy
from speechx.models.refiner.bands import BandRefiner
from speechx.models.refiner.base import REFINER_FOLDER, Refiner
from speechx.models.refiner.complex import ComplexRefiner
from speechx.models.refiner.config import RefinerConfig


def make_refiner(config: RefinerConfig) -> Refiner:
    """A new net of the config's kind."""
    return BandRefiner(config) if config.kind == "bands" else ComplexRefiner(config)


def load_refiner(folder: str | Path, adapter: bool = True) -> Refiner:
    """What `Refiner.save` wrote, with its adapter or without. Raises InputError for what is missing or does not fit."""
    model, found = REFINER_FOLDER.load(folder, make_refiner, adapter)
    if found is not None:
        model.adapted = AdaptedCopy.of(model, found)
    return model

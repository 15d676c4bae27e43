"""The net that masks a recording with the help of what the language model generates: an interface and two kinds of net."""

from speechx.models.refiner.base import REFINER_FOLDER, Refiner
from speechx.models.refiner.config import HOP_SECONDS, RefinerConfig, to_bins, voice_features
from speechx.models.refiner.loading import load_refiner, make_refiner

__all__ = [
    "HOP_SECONDS",
    "REFINER_FOLDER",
    "Refiner",
    "RefinerConfig",
    "load_refiner",
    "make_refiner",
    "to_bins",
    "voice_features",
]

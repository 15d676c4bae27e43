"""The net that masks a recording with the help of what the language model generates: an interface and two kinds of net."""

from speechx.models.refiner.base import REFINER_FOLDER, Refiner, make_refiner
from speechx.models.refiner.config import HOP_SECONDS, RefinerConfig, to_bins, voice_features

__all__ = [
    "HOP_SECONDS",
    "REFINER_FOLDER",
    "Refiner",
    "RefinerConfig",
    "make_refiner",
    "to_bins",
    "voice_features",
]

"""Baselines of SpeechBrain: MetricGAN+ and SepFormer. They need the extra `speechbrain`, and the hub or a folder.

    speechx eval run ... --system metricgan --system sepformer:FOLDER --system sepformer_separation

Shapes: T samples at 16 kHz, S sources.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from speechx.audio.reading import resample
from speechx.eval.items import RATE, Item
from speechx.eval.judges.judges import Judges

__all__ = ["METRICGAN", "SEPFORMER", "SEPFORMER_SEPARATION", "metricgan", "separated", "sepformer"]

METRICGAN = "speechbrain/metricgan-plus-voicebank"
SEPFORMER = "speechbrain/sepformer-wham16k-enhancement"
SEPFORMER_SEPARATION = "speechbrain/sepformer-wsj02mix"


@cache
def _metricgan(source: str) -> Any:
    from speechbrain.inference.enhancement import SpectralMaskEnhancement

    return SpectralMaskEnhancement.from_hparams(source=source)


@cache
def _sepformer(source: str) -> Any:
    from speechbrain.inference.separation import SepformerSeparation

    return SepformerSeparation.from_hparams(source=source)


def metricgan(wav_T: np.ndarray, source: str = METRICGAN) -> np.ndarray:
    """MetricGAN+ (Fu et al. 2021): a mask on magnitudes, trained for PESQ on VoiceBank-DEMAND."""
    import torch

    with torch.inference_mode():
        enhanced_BT = _metricgan(source).enhance_batch(_batch(wav_T), lengths=torch.ones(1))
    return _fitted(enhanced_BT[0].numpy(), len(wav_T))


def sepformer(wav_T: np.ndarray, source: str = SEPFORMER) -> np.ndarray:
    """SepFormer (Subakan et al. 2021) for one speaker in noise, trained on WHAM!."""
    return _sources(wav_T, source)[0]


def separated(item: Item, judges: Judges, source: str = SEPFORMER_SEPARATION) -> np.ndarray:
    """SepFormer for two speakers, trained on WSJ0-2mix: the source that is most like the enrollment, by the run's judge."""
    voice_T = item.recording("enrollment")
    sources = _sources(item.recording("audio"), source)
    return max(sources, key=lambda wav_T: judges.speaker_similarity(wav_T, voice_T))


def _sources(wav_T: np.ndarray, source: str) -> list[np.ndarray]:
    """The separated sounds, at the level of the mixture: SepFormer's own level means nothing."""
    import torch

    model = _sepformer(source)
    rate = int(getattr(model.hparams, "sample_rate", RATE))
    with torch.inference_mode():
        made_BTS = model.separate_batch(_batch(resample(wav_T, RATE, rate)))
    found = []
    for made_T in made_BTS[0].T.numpy():
        peak = max(float(np.abs(made_T).max()), 1e-9)
        made_T = made_T * (float(np.abs(wav_T).max()) / peak)
        found.append(_fitted(resample(np.ascontiguousarray(made_T, np.float32), rate, RATE), len(wav_T)))
    return found


def _batch(wav_T: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(np.ascontiguousarray(wav_T, np.float32))[None]


def _fitted(wav_T: np.ndarray, samples: int) -> np.ndarray:
    return np.pad(wav_T, (0, max(0, samples - len(wav_T))))[:samples].astype(np.float32)

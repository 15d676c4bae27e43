"""The field's standard judges, whose weights no package ships: they need a checkpoint or the hub.

Each takes a folder, a file or a hub name, and imports its library when it is created.
Shapes: N recordings, T samples at 16 kHz, D values of an embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from speechx.eval.items import RATE
from speechx.eval.judges.base import JudgeInfo, Transcript, file_hash, package_version
from speechx.eval.scores import Unmeasurable

__all__ = ["ECAPA", "UTMOS", "HubertCTC", "WavLM"]


def _hash(source: str) -> str:
    """Hash of local weights; for a hub name, the name itself."""
    path = Path(source)
    files = (
        sorted(f for f in path.glob("*") if f.suffix in (".bin", ".safetensors", ".ckpt", ".pt"))
        if path.is_dir()
        else []
    )
    if path.is_file():
        files = [path]
    return "-".join(file_hash(f) for f in files) or f"hub:{source}"


class HubertCTC:
    """A `Recognizer` of English: HuBERT-large fine-tuned on LibriSpeech 960 h, as VALL-E and SpeechX report WER."""

    def __init__(self, source: str = "facebook/hubert-large-ls960-ft") -> None:
        from transformers import AutoProcessor, HubertForCTC

        self._processor: Any = AutoProcessor.from_pretrained(source)
        self._model: Any = HubertForCTC.from_pretrained(source).eval()
        self.info = JudgeInfo(
            "hubert-ctc", source, package_version("transformers"), _hash(source), "greedy CTC"
        )

    def transcribe(self, wavs: Sequence[np.ndarray], languages: Sequence[str]) -> list[Transcript]:
        import torch

        out = []
        for wav_T, language in zip(wavs, languages, strict=True):
            if language != "en":
                raise Unmeasurable("HuBERT-CTC knows English only")
            values = self._processor(wav_T, sampling_rate=RATE, return_tensors="pt").input_values
            with torch.inference_mode():
                ids = self._model(values).logits.argmax(-1)
            out.append(Transcript(self._processor.batch_decode(ids)[0].lower()))
        return out

    def language_probabilities(self, wavs: Sequence[np.ndarray]) -> list[dict[str, float]]:
        raise Unmeasurable("HuBERT-CTC does not tell languages")


class WavLM:
    """A `SpeakerEncoder`: WavLM with an x-vector (TDNN) head for verification."""

    def __init__(self, source: str = "microsoft/wavlm-base-plus-sv") -> None:
        from transformers import AutoFeatureExtractor, WavLMForXVector

        self._extract: Any = AutoFeatureExtractor.from_pretrained(source)
        self._model: Any = WavLMForXVector.from_pretrained(source).eval()
        note = "VALL-E's WavLM-TDNN is the large one" if "large" not in source else ""
        self.info = JudgeInfo("wavlm-tdnn", source, package_version("transformers"), _hash(source), note)

    def embed(self, wavs: Sequence[np.ndarray]) -> np.ndarray:
        import torch

        rows = []
        for wav_T in wavs:
            inputs = self._extract(wav_T, sampling_rate=RATE, return_tensors="pt")
            with torch.inference_mode():
                rows.append(
                    torch.nn.functional.normalize(self._model(**inputs).embeddings, dim=-1)[0].numpy()
                )
        return np.stack(rows)


class ECAPA:
    """A `SpeakerEncoder`: SpeechBrain's ECAPA-TDNN trained on VoxCeleb."""

    def __init__(self, source: str = "speechbrain/spkrec-ecapa-voxceleb") -> None:
        from speechx.models.speaker import EcapaEncoder

        self._encoder = EcapaEncoder(source)
        self.info = JudgeInfo("ecapa", source, package_version("speechbrain"), _hash(source))

    def embed(self, wavs: Sequence[np.ndarray]) -> np.ndarray:
        return np.stack([self._encoder.embed(wav_T) for wav_T in wavs])


class UTMOS:
    """A `MOSPredictor`: UTMOS22 strong, as a TorchScript file or from torch.hub (tarepan/SpeechMOS)."""

    names = ("utmos",)

    def __init__(self, source: str = "utmos22_strong") -> None:
        import torch

        if Path(source).is_file():
            self._model: Any = torch.jit.load(source, map_location="cpu").eval()
        else:
            self._model = torch.hub.load("tarepan/SpeechMOS:v1.2.0", source, trust_repo=True).eval()
        self.info = JudgeInfo("utmos", source, "", _hash(source))

    def predict(self, wavs: Sequence[np.ndarray]) -> list[dict[str, float]]:
        import torch

        with torch.inference_mode():
            return [{"utmos": float(self._model(torch.from_numpy(w)[None], RATE))} for w in wavs]

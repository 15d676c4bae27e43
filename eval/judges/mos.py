"""Predicted opinion scores: DNSMOS (P.835 and P.808, package speechmos) and DistillMOS (package distillmos).

Shapes: T samples at 16 kHz.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType

import numpy as np

from speechx.eval.items import RATE
from speechx.eval.judges.base import JudgeInfo, file_hash, num_threads, package_version, packaged_file
from speechx.eval.metrics.mel import mel_power
from speechx.eval.scores import MissingDependency

__all__ = ["DNSMOS", "DistillMOS"]

SEGMENT = 144160
"""9.01 s: shorter recordings are repeated, longer ones are scored every second and averaged."""

POLYNOMIALS = {
    "dnsmos_sig": (-0.08397278, 1.22083953, 0.0052439),
    "dnsmos_bak": (-0.13166888, 1.60915514, -0.39604546),
    "dnsmos": (-0.06766283, 1.11546468, 0.04602535),
}
"""From the network's output to MOS, as published with it (Reddy et al. 2022)."""


class DNSMOS:
    """A `MOSPredictor` of noisy and enhanced speech: signal, background, overall, and P.808."""

    names = ("dnsmos_sig", "dnsmos_bak", "dnsmos", "dnsmos_p808")

    def __init__(self) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingDependency("DNSMOS needs onnxruntime: install the eval extra") from error
        p835, p808 = (
            packaged_file("speechmos", f"dnsmos_models/{n}.onnx", "speechmos")
            for n in ("sig_bak_ovr", "model_v8")
        )
        self.info = JudgeInfo(
            "dnsmos", "speechmos", package_version("speechmos"), file_hash(p835), "P.835 and P.808"
        )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = num_threads()
        self._p835, self._p808 = (
            onnxruntime.InferenceSession(str(p), options, providers=["CPUExecutionProvider"])
            for p in (p835, p808)
        )

    def predict(self, wavs: Sequence[np.ndarray]) -> list[dict[str, float]]:
        return [self._predict(wav_T) for wav_T in wavs]

    def _predict(self, wav_T: np.ndarray) -> dict[str, float]:
        wav_T = np.clip(wav_T, -1, 1)
        while len(wav_T) < SEGMENT:
            wav_T = np.concatenate([wav_T, wav_T])
        found = []
        for start in range(0, len(wav_T) - SEGMENT + 1, RATE):
            segment_T = wav_T[start : start + SEGMENT].astype(np.float32)
            raw = self._p835.run(None, {"input_1": segment_T[None]})[0][0]
            values = [float(np.polyval(p, x)) for p, x in zip(POLYNOMIALS.values(), raw, strict=True)]
            values.append(float(self._p808.run(None, {"input_1": _p808_input(segment_T[:-160])})[0][0][0]))
            found.append(values)
        return dict(zip(self.names, np.mean(found, axis=0).tolist(), strict=True))


def _p808_input(wav_T: np.ndarray) -> np.ndarray:
    """(1, S, 120) float32: mel power in dB under its maximum, 80 dB deep, scaled."""
    power_SM = mel_power(wav_T, window=321, bands=120)
    level_SM = 10 * np.log10(np.maximum(power_SM, 1e-10))
    level_SM -= 10 * np.log10(max(float(power_SM.max()), 1e-10))
    return ((np.maximum(level_SM, -80) + 40) / 40).astype(np.float32)[None]


class DistillMOS:
    """A `MOSPredictor` of any speech (Stahl and Gamper 2025)."""

    names = ("mos",)

    def __init__(self) -> None:
        import torch

        path = packaged_file("distillmos", "weights/distill_mos_v7.pt", "distillmos")
        # The package imports torchaudio for its own command line alone; here it may be missing.
        stand_in = importlib.util.find_spec("torchaudio") is None
        if stand_in:
            sys.modules["torchaudio"] = ModuleType("torchaudio")
        try:
            from distillmos.sqa import ConvTransformerSQAModel
        except ImportError as error:
            raise MissingDependency(f"DistillMOS needs {error.name}: install the eval extra") from error
        finally:
            if stand_in:
                del sys.modules["torchaudio"]
        self.info = JudgeInfo(
            "distillmos", "distillmos", package_version("distillmos"), file_hash(path), "variant 7"
        )
        self._model = ConvTransformerSQAModel(load_weights=False).eval()
        self._model.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)["model"])

    def predict(self, wavs: Sequence[np.ndarray]) -> list[dict[str, float]]:
        import torch

        with torch.inference_mode():
            return [
                {"mos": float(self._model(torch.from_numpy(np.ascontiguousarray(w, np.float32))[None]))}
                for w in wavs
            ]

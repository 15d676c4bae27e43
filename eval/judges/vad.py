"""Voice activity by silero-vad. Shapes: T samples at 16 kHz."""

from __future__ import annotations

import numpy as np

from speechx.eval.items import RATE
from speechx.eval.judges.base import JudgeInfo, file_hash, package_version, packaged_file
from speechx.eval.scores import MissingDependency

__all__ = ["SileroVAD"]


class SileroVAD:
    """A `VoiceActivityDetector`."""

    def __init__(self) -> None:
        import torch

        path = packaged_file("silero_vad", "data/silero_vad.jit", "silero-vad")
        threads = torch.get_num_threads()
        try:
            from silero_vad import get_speech_timestamps, load_silero_vad
        except ImportError as error:
            raise MissingDependency(f"silero-vad needs {error.name}: install the eval extra") from error
        finally:
            torch.set_num_threads(threads)  # importing it sets one for the whole process
        self.info = JudgeInfo("silero-vad", "silero-vad", package_version("silero-vad"), file_hash(path))
        self._model, self._find = load_silero_vad(), get_speech_timestamps

    def speech_segments(self, wav_T: np.ndarray) -> list[tuple[float, float]]:
        import torch

        found = self._find(
            torch.from_numpy(np.ascontiguousarray(wav_T, np.float32)), self._model, sampling_rate=RATE
        )
        return [(s["start"] / RATE, s["end"] / RATE) for s in found]

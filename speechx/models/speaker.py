"""Speaker encoders by others: how much a sound is like a voice, as a cosine. Off unless asked for.

    sx = SpeechX.load(voice_check="ecapa")            # or ecapa:FOLDER, or $SPEECHX_VOICE_CHECK

Best-of-N then prefers candidates that sound like the voice. Shapes: T samples at 16 kHz, D axes of an embedding.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from speechx.errors import InputError

__all__ = ["SPEAKER_RATE", "EcapaEncoder", "VoiceEncoder", "open_voice_encoder"]

SPEAKER_RATE = 16000
"""Of the sounds that encoders take."""


class VoiceEncoder(Protocol):
    def embed(self, wav_T: np.ndarray) -> np.ndarray:
        """(D,) of length 1."""
        ...


class EcapaEncoder:
    """SpeechBrain's ECAPA-TDNN, trained on VoxCeleb. source: a folder or a name of the hub, which must be trusted:
    SpeechBrain's hyperparams.yaml can name any class to be made."""

    def __init__(self, source: str = "speechbrain/spkrec-ecapa-voxceleb") -> None:
        from speechbrain.inference.speaker import EncoderClassifier

        self._model: Any = EncoderClassifier.from_hparams(source=source)

    def embed(self, wav_T: np.ndarray) -> np.ndarray:
        import torch

        with torch.inference_mode():
            row_D = self._model.encode_batch(torch.from_numpy(np.ascontiguousarray(wav_T, np.float32))[None])[
                0, 0
            ]
            embedding_D: np.ndarray = torch.nn.functional.normalize(row_D, dim=0).numpy()
        return embedding_D


def open_voice_encoder(name: str) -> VoiceEncoder:
    """`ecapa` or `ecapa:FOLDER`. Raises InputError: another name, SpeechBrain is missing, weights cannot be read."""
    kind, _, source = name.partition(":")
    if kind != "ecapa":
        raise InputError(f"voice_check: {name!r} is neither ecapa nor ecapa:FOLDER", field="voice_check")
    try:
        return EcapaEncoder(source) if source else EcapaEncoder()
    except ImportError as error:
        raise InputError(
            f"voice_check: SpeechBrain cannot be imported ({error}); docs/install.md says which torch it needs",
            field="voice_check",
        ) from error
    except (OSError, ValueError, RuntimeError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise InputError(f"voice_check: {name} cannot be loaded: {reason}", field="voice_check") from error

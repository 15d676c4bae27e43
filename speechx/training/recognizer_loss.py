"""A loss on what a speech recognizer hears: sounds are compared by the features that words are recognized from.

Legend: B batch, T samples, M mel bands, N STFT bins, S mel frames (100 Hz), H positions (50 Hz), C channels.
Sources: Whisper (Radford et al. 2022, section 2.2: log mel spectrum and encoder); features of a network as a loss of
reconstruction (Johnson et al. 2016, section 3.2).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

from speechx.errors import InputError
from speechx.models.hub import fetch_folder, is_hub_name

if TYPE_CHECKING:
    from transformers.models.whisper.modeling_whisper import WhisperEncoder

__all__ = ["RecognizerLoss"]


class RecognizerLoss(nn.Module):
    """Mean distance of two sounds in the first layers of a Whisper encoder, in standard deviations of each channel over the
    target.

    source: a folder of a Whisper checkpoint in the layout of transformers, or its name on the Hugging Face hub. sample_rate:
    of the sounds, in Hz. layers: how many of the encoder's layers are compared. The recognizer itself is not trained.
    Raises InputError for another sample rate than Whisper's, layers that it does not have, and a source without a Whisper.
    """

    mel_MN: torch.Tensor
    window: torch.Tensor

    def __init__(self, source: str, sample_rate: int, layers: int) -> None:
        super().__init__()
        from transformers import WhisperFeatureExtractor

        encoder = _encoder(source)
        reader = WhisperFeatureExtractor(feature_size=encoder.config.num_mel_bins)
        if sample_rate != reader.sampling_rate:
            raise InputError(
                f"recognizer: Whisper hears {reader.sampling_rate:,} Hz, and the codec has {sample_rate:,}",
                field="recognizer",
            )
        if not 1 <= layers <= len(encoder.layers):
            raise InputError(
                f"recognizer_layers: {source} has 1 to {len(encoder.layers)} layers, not {layers}",
                field="recognizer_layers",
            )
        self.size, self.hop = reader.n_fft, reader.hop_length
        self.register_buffer("mel_MN", torch.from_numpy(reader.mel_filters.T).float(), persistent=False)
        self.register_buffer("window", torch.hann_window(self.size), persistent=False)
        self.conv1, self.conv2 = encoder.conv1, encoder.conv2
        self.positions_HC = encoder.embed_positions.weight
        self.layers = nn.ModuleList(encoder.layers[:layers])
        self.requires_grad_(False)

    def forward(self, out_BT: torch.Tensor, target_BT: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            targets = self.features(target_BT)
        gaps = []
        for made_BHC, wanted_BHC in zip(self.features(out_BT), targets, strict=True):
            # Some channels of a transformer are a hundred times as large as others.
            scale_B1C = wanted_BHC.float().std(1, keepdim=True).clamp_min(1e-2)
            gaps.append(((made_BHC.float() - wanted_BHC.float()) / scale_B1C).abs().mean())
        return torch.stack(gaps).mean()

    def features(self, wav_BT: torch.Tensor) -> list[torch.Tensor]:
        """(B, T), at most 30 s -> (B, H, C) of each layer."""
        x_BCS = F.gelu(self.conv1(self._log_mel(wav_BT)))
        x_BHC = F.gelu(self.conv2(x_BCS)).transpose(1, 2)
        if x_BHC.shape[1] > len(self.positions_HC):
            raise InputError("crop_frames: the recognizer hears 30 s at most", field="crop_frames")
        x_BHC = x_BHC + self.positions_HC[: x_BHC.shape[1]]
        found = []
        for layer in self.layers:
            x_BHC = layer(x_BHC, None)
            found.append(x_BHC)
        return found

    def _log_mel(self, wav_BT: torch.Tensor) -> torch.Tensor:
        """(B, T) -> (B, M, S), as Whisper reads sound."""
        spec_BNS = torch.stft(wav_BT.float(), self.size, self.hop, window=self.window, return_complex=True)
        power_BNS = (spec_BNS.real.square() + spec_BNS.imag.square())[..., :-1]
        log_BMS = torch.matmul(self.mel_MN, power_BNS).clamp_min(1e-10).log10()
        floor_B11 = log_BMS.detach().amax((1, 2), keepdim=True) - 8.0
        return (torch.maximum(log_BMS, floor_B11) + 4.0) / 4.0


def _encoder(source: str) -> WhisperEncoder:
    from transformers import WhisperModel

    folder = fetch_folder(source, "recognizer") if is_hub_name(source) else Path(source)
    try:
        if json.loads((folder / "config.json").read_text("utf-8"))["model_type"] == "whisper":
            return WhisperModel.from_pretrained(folder).encoder
        reason = "config.json is of another model"
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
    raise InputError(
        f"recognizer: {source} has no Whisper checkpoint in the layout of transformers: {reason}",
        field="recognizer",
    )

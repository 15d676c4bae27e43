"""SpeechX's own codec: 16 kHz sound to 25 frames/s of 8 codes, in the frequency domain.

    STFT magnitudes (100 Hz) -> ConvNeXt encoder -> 25 Hz -> 1 semantic + 7 residual codebooks
    -> ConvNeXt decoder (causal, one frame of look-ahead) -> 100 Hz levels of two sources -> inverse STFT

The acoustic latent is computed from the log spectrum (`speechx.models.codec.acoustic`).

Legend: B batch, T samples, S STFT frames (100 Hz), H half-rate frames (50 Hz), F codec frames (25 Hz), K codebooks, C
channels, N STFT bins, D quantizer dimension.
Sources: Vocos (inverse-STFT head, ConvNeXt), SpeechTokenizer and Mimi (a first codebook distilled from a speech model),
SoundStream (residual quantizer with dropout), FreqCodec (a codec in the frequency domain).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from speechx.models.codec.acoustic import PITCH_AXES
from speechx.models.codec.base import StreamDecoder, check_codes, check_wav
from speechx.models.codec.chunked import SpectralStream
from speechx.models.codec.config import SpectralConfig
from speechx.models.codec.networks import SpectralDecoder, SpectralEncoder
from speechx.models.codec.quantizer import ResidualQuantizer, VectorQuantizer
from speechx.models.ranks import ONE_RANK, Ranks


class SpectralCodec(nn.Module):
    """The codec behind `speechx.models.codec.base.Codec`. See the module's docstring."""

    def __init__(self, config: SpectralConfig) -> None:
        super().__init__()
        self.config = config
        self.name = f"{config.name}-v{config.version}"
        self.sample_rate = config.sample_rate
        self.frame_rate = config.sample_rate / config.hop
        self.num_codebooks = config.num_codebooks
        self.codebook_size = config.codebook_size
        self.encoder = SpectralEncoder(config)
        self.semantic_quantizer = VectorQuantizer(config.codebook_size, config.quantizer_dim)
        self.acoustic_quantizer = ResidualQuantizer(
            config.num_codebooks - 1, config.codebook_size, config.latent_dim
        )
        self.semantic_in = nn.Linear(config.quantizer_dim, config.latent_dim)
        # Cepstra differ thirtyfold in size: what reads them gets each axis at unit variance, or it learns the large ones
        # alone.
        self.register_buffer("mean_D", torch.zeros(config.acoustic_dim))
        self.register_buffer("scale_D", torch.ones(config.acoustic_dim))
        self.decoder = SpectralDecoder(config)
        self.ranks: Ranks = ONE_RANK

    mean_D: torch.Tensor
    scale_D: torch.Tensor

    @classmethod
    def from_config(cls, config: SpectralConfig) -> SpectralCodec:
        return cls(config).eval()

    license = "Apache-2.0"

    def share_batches(self, ranks: Ranks) -> None:
        """In training: this process has a part of each batch, the other ranks have the rest."""
        self.ranks = self.semantic_quantizer.ranks = ranks
        for index in range(len(self.acoustic_quantizer.layers)):
            self.acoustic_quantizer.layer(index).ranks = ranks

    @property
    def hop(self) -> int:
        return self.config.hop

    @property
    def latent_dim(self) -> int:
        return self.config.latent_dim

    @property
    def feature_dim(self) -> int:
        return self.config.quantizer_dim + self.config.latent_dim

    @property
    def hash(self) -> str:
        """Names what the codes mean: first 16 hex digits of SHA-256 over everything but the decoder.

        Two codecs of one hash write the same codes, so that a better decoder needs no new language model.
        """
        return self._digest(lambda name: not name.startswith("decoder."))

    @property
    def weights_hash(self) -> str:
        """The same over the config and all weights."""
        return self._digest(lambda name: True, json.dumps(self.config.to_dict(), sort_keys=True))

    def _digest(self, chosen: Callable[[str], bool], start: str = "") -> str:
        """Of the weights as stored (fp16)."""
        facts = f"{self.name} {self.sample_rate} {self.hop} {self.num_codebooks} {self.codebook_size}{start}"
        digest = hashlib.sha256(facts.encode())
        for name, value in sorted(self.state_dict().items()):
            if chosen(name):
                digest.update(name.encode() + value.detach().cpu().half().numpy().tobytes())
        return digest.hexdigest()[:16]

    def pad(self, wav_BT: torch.Tensor) -> torch.Tensor:
        """Zeros to a whole number of codec frames."""
        missing = -wav_BT.shape[1] % self.hop
        return F.pad(wav_BT, (0, missing))

    def latent(self, codes_BKF: torch.Tensor) -> torch.Tensor:
        """Codes (B, K, F) -> what the decoder reads (B, F, D), in double: the same in a stream as in the whole."""
        semantic_BFD = self.semantic_quantizer.lookup(codes_BKF[:, 0]).double()
        linear = self.semantic_in
        base_BFD = F.linear(semantic_BFD, linear.weight.double(), linear.bias.double())
        return self._standardized(base_BFD + self.acoustic_quantizer.lookup(codes_BKF[:, 1:]))

    def features(self, codes_BKF: torch.Tensor) -> torch.Tensor:
        """Codes (B, K, F) -> the semantic entry and the decoder's input (B, F, D)."""
        semantic_BFD = self.semantic_quantizer.lookup(codes_BKF[:, 0])
        return torch.cat([semantic_BFD, self.latent(codes_BKF).float()], -1)

    def code_vectors(self) -> torch.Tensor:
        """What each code adds to `latent`, (K, V, D) float32."""
        first_VD = self.semantic_in(self.semantic_quantizer.codebook_VD)
        tables = [first_VD, *(layer.codebook_VD for layer in self.acoustic_quantizer.layers)]
        vectors_KVD = torch.stack(tables).detach()
        return vectors_KVD * self.scale_D

    def _standardized(self, x_BFD: torch.Tensor) -> torch.Tensor:
        """Each axis at mean 0 and variance 1."""
        return (x_BFD - self.mean_D) * self.scale_D

    @torch.inference_mode()
    def encode(self, wav_BT: torch.Tensor) -> torch.Tensor:
        check_wav(wav_BT)
        batch = wav_BT.shape[0]
        acoustic_BFD, semantic_BFD, _ = self.encoder(self.pad(wav_BT))
        dim = semantic_BFD.shape[-1]
        first_BF = self.semantic_quantizer.nearest(semantic_BFD.reshape(-1, dim)).view(batch, -1)
        rest_BFD = acoustic_BFD - self.semantic_in(self.semantic_quantizer.lookup(first_BF))
        codes = [first_BF]
        for layer in self.acoustic_quantizer.layers:
            assert isinstance(layer, VectorQuantizer)
            codes_BF = layer.nearest(rest_BFD.flatten(0, 1)).view(batch, -1)
            rest_BFD = rest_BFD - layer.lookup(codes_BF)
            codes.append(codes_BF)
        return torch.stack(codes, 1)

    @torch.inference_mode()
    def decode(self, codes_BKF: torch.Tensor) -> torch.Tensor:
        check_codes(codes_BKF, self.num_codebooks, self.codebook_size)
        if codes_BKF.shape[-1] == 0:
            return torch.zeros(codes_BKF.shape[0], 0)
        return self.decoder(self.latent(codes_BKF))

    def stream(self, batch: int = 1) -> StreamDecoder:
        return SpectralStream(self.decoder, self.latent, self.config, batch)

    def forward(
        self,
        wav_BT: torch.Tensor,
        keep_B: torch.Tensor | None = None,
        f0_BS: torch.Tensor | None = None,
        noise_from: int = 0,
    ) -> dict[str, torch.Tensor]:
        """Training pass. keep_B in 1..K: codebooks used by each item; f0_BS: true F0 of each STFT frame, in Hz.

        Returns wav_BT, codes_BKF, commit, semantic_BFD (before) and semantic_q_BFD (after the first codebook), octave_BS and
        voicing_BS (the decoder's idea of F0: log2 over 150 Hz, and a logit), level_BSN (its log spectral envelope), and
        bend_BFD (the network's part of the acoustic latent).
        """
        acoustic_BFD, semantic_BFD, bend_BFD = self.encoder(wav_BT)
        batch, frames, dim = semantic_BFD.shape
        flat_ND = semantic_BFD.reshape(-1, dim).float()
        first_ND, first_N = self.semantic_quantizer(flat_ND)
        commit = F.mse_loss(flat_ND, first_ND)
        semantic_q_BFD = (flat_ND + (first_ND - flat_ND).detach()).view(batch, frames, dim)
        # The acoustic path learns to use the semantic code as it is, without bending it to its needs.
        base_BFD = self.semantic_in(first_ND.view(batch, frames, dim)).float()
        if self.training and not bool(self.acoustic_quantizer.layer(0).started):
            axes_ND = self.ranks.gather(acoustic_BFD.detach().flatten(0, 1))
            self.mean_D.copy_(axes_ND.mean(0))
            # The axes that nobody has taught yet (pitch) are near nothing now, and will not be.
            self.scale_D.copy_(1 / axes_ND.std(0).clamp_min(0.1))
            self.scale_D[-PITCH_AXES:] = 1.0
        keep_rest_B = None if keep_B is None else keep_B - 1
        rest_BFD, rest_BKF, rest_commit = self.acoustic_quantizer(acoustic_BFD - base_BFD, keep_rest_B)
        wav_out_BT, octave_BS, voicing_BS, level_BSN = self.decoder.follow(
            self._standardized(base_BFD + rest_BFD), f0_BS, noise_from
        )
        codes_BKF = torch.cat([first_N.view(batch, 1, frames), rest_BKF], 1)
        return {
            "wav_BT": wav_out_BT, "codes_BKF": codes_BKF, "commit": commit + rest_commit,
            "semantic_BFD": semantic_BFD, "semantic_q_BFD": semantic_q_BFD, "octave_BS": octave_BS, "voicing_BS": voicing_BS,
            "level_BSN": level_BSN, "bend_BFD": bend_BFD,
        }  # fmt: skip

    def redecode(
        self, codes_BKF: torch.Tensor, f0_BS: torch.Tensor | None = None, noise_from: int = 0
    ) -> dict[str, torch.Tensor]:
        """Training pass of the decoder alone, on codes that `encode` wrote. See `forward`."""
        with torch.no_grad():
            latent_BFD = self.latent(codes_BKF.clone())  # `encode` gives tensors of inference mode
        wav_out_BT, octave_BS, voicing_BS, level_BSN = self.decoder.follow(
            latent_BFD.float(), f0_BS, noise_from
        )
        return {
            "wav_BT": wav_out_BT, "codes_BKF": codes_BKF, "octave_BS": octave_BS, "voicing_BS": voicing_BS,
            "level_BSN": level_BSN,
        }  # fmt: skip

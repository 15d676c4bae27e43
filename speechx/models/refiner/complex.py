"""A refiner of complex gains in bins: along time by recurrent layers, along frequency by attention.

    spectrum, compressed -> two strided convolutions -> subbands of 250 Hz -> blocks -> hidden states      (encode)
    + the recording and the estimate in subbands -> blocks -> the convolutions backwards -> gains of bins  (fuse)

No layer but the recurrent ones sees another frame, so their states are all that a stream needs.

Legend: B batch, M STFT frames (16 ms), F bins, X = 2F, S subbands, C channels, E frames of the voice, D
axes of the codec's latents, H = S * C.
Sources: a recurrent layer per band and attention between bands (TF-GridNet, Wang et al. 2023, section II; the size of
FastEnhancer, Ahn et al. 2025), compressed spectra (Braun and Tashev 2021), FiLM (Perez et al. 2018).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechx.models.refiner.base import Refiner, State
from speechx.models.refiner.config import FLOOR, RefinerConfig

__all__ = ["ComplexRefiner"]

COMPRESSION = 0.3
"""Exponent of the magnitudes of features."""
STRIDES = (4, 2)
"""Of the two convolutions, in bins and in what the first one gives; their kernels are twice as wide."""
CONDITION, VOICE_WIDTH = 64, 128
"""Width of what is known of task and voice, and of each frame of the voice."""


def _convolution(inputs: int, outputs: int, stride: int) -> nn.Conv1d:
    return nn.Conv1d(inputs, outputs, 2 * stride, stride, stride // 2)


class Block(nn.Module):
    """Time, frequency, then each cell alone; each adds to its input (S subbands of C channels)."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.film = nn.Linear(CONDITION, 2 * channels)
        self.time_norm, self.frequency_norm, self.cell_norm = (nn.LayerNorm(channels) for _ in range(3))
        self.time = nn.GRU(channels, channels, batch_first=True)
        self.time_out = nn.Linear(channels, channels)
        self.qkv, self.frequency_out = (
            nn.Linear(channels, 3 * channels, bias=False),
            nn.Linear(channels, channels),
        )
        self.cell_in, self.cell_out = nn.Linear(channels, 2 * channels), nn.Linear(2 * channels, channels)
        nn.init.normal_(self.film.weight, std=0.05)
        nn.init.zeros_(self.film.bias)

    def forward(self, x_BMSC: Tensor, condition_B1H: Tensor, state: State) -> tuple[Tensor, Tensor]:
        """The same shape, and the state of the recurrent layer (1, B * S, C)."""
        B, M, S, C = x_BMSC.shape
        scale_B11C, shift_B11C = self.film(condition_B1H)[:, None].chunk(2, -1)
        y_BMSC = self.time_norm(x_BMSC) * (1 + scale_B11C) + shift_B11C
        y_NMC, after = self.time(y_BMSC.transpose(1, 2).reshape(B * S, M, C), state)
        x_BMSC = x_BMSC + self.time_out(y_NMC).unflatten(0, (B, S)).transpose(1, 2)
        qkv = self.qkv(self.frequency_norm(x_BMSC)).view(B * M, S, 3, self.heads, C // self.heads)
        q_NhSc, k_NhSc, v_NhSc = qkv.permute(2, 0, 3, 1, 4)
        mixed_NhSc = F.scaled_dot_product_attention(q_NhSc, k_NhSc, v_NhSc)
        x_BMSC = x_BMSC + self.frequency_out(mixed_NhSc.transpose(1, 2).reshape(B, M, S, C))
        return x_BMSC + self.cell_out(F.silu(self.cell_in(self.cell_norm(x_BMSC)))), after


class ComplexRefiner(Refiner):
    """Compressed spectra -> a complex gain of the recording and a real one of the estimate, for each bin."""

    lora_matrices = ("before.", "after.", "mix.")
    silence = 0.0

    def __init__(self, config: RefinerConfig) -> None:
        super().__init__(config)
        C, bins = config.channels, config.bins
        if C % config.heads:
            raise ValueError(f"channels: {C} is no multiple of the {config.heads} heads")
        self.fine = (bins + STRIDES[0] - 2 * STRIDES[0]) // STRIDES[0] + 1
        self.subbands = (self.fine + STRIDES[1] - 2 * STRIDES[1]) // STRIDES[1] + 1
        self.feature_dim, self.hidden_dim = 2 * bins, self.subbands * C
        self.task = nn.Embedding(len(config.slots), CONDITION)
        self.voice = nn.Sequential(
            nn.Linear(config.voice_dim // 2, VOICE_WIDTH), nn.SiLU(), nn.Linear(VOICE_WIDTH, VOICE_WIDTH), nn.SiLU()
        )  # fmt: skip
        self.pooled_dim = 2 * VOICE_WIDTH
        self.speaker = nn.Linear(self.pooled_dim, CONDITION)
        self.known = nn.Linear(CONDITION, CONDITION)
        self.narrow, self.narrower = _convolution(2, C, STRIDES[0]), _convolution(C, C, STRIDES[1])
        self.estimate, self.estimate_narrower = (
            _convolution(4, C, STRIDES[0]),
            _convolution(C, C, STRIDES[1]),
        )
        self.place = nn.Parameter(0.02 * torch.randn(self.subbands, C))
        self.before = nn.ModuleList(Block(C, config.heads) for _ in range(config.blocks[0]))
        self.mix = nn.Linear(3 * C, C)
        self.after = nn.ModuleList(Block(C, config.heads) for _ in range(config.blocks[1]))
        self.wider = nn.ConvTranspose1d(C, C, 2 * STRIDES[1], STRIDES[1], STRIDES[1] // 2)
        self.wide = nn.ConvTranspose1d(C, 3, 2 * STRIDES[0], STRIDES[0], STRIDES[0] // 2)
        with torch.no_grad():  # at first the recording passes, and next to nothing of the estimate
            self.wide.weight.mul_(0.1)
            self.wide.get_parameter("bias").copy_(torch.tensor([1.0, 0.0, -4.0]))

    def features(self, spectrum_BMF: Tensor) -> Tensor:
        """Real and imaginary parts with compressed magnitudes, (B, M, 2F)."""
        power_BMF = spectrum_BMF.real.square() + spectrum_BMF.imag.square()
        small_BMF = (power_BMF + FLOOR) ** ((COMPRESSION - 1) / 2)
        return torch.cat([spectrum_BMF.real * small_BMF, spectrum_BMF.imag * small_BMF], -1)

    def condition(self, task_B: Tensor, voice_BED: Tensor) -> tuple[Tensor, Tensor]:
        """The voice by the mean and the deviation of a net's output over its frames E (x-vectors, Snyder et al. 2018)."""
        known_B1 = (voice_BED != 0).flatten(1).any(-1, keepdim=True)
        x_BH = F.silu(self.task(task_B) + self.speaker(self.pooled_voice(voice_BED)) * known_B1)
        condition_B1H = F.silu(self.known(x_BH))[:, None]
        return condition_B1H, condition_B1H

    def pooled_voice(self, voice_BED: Tensor) -> Tensor:
        """What is heard of a voice, (B, `pooled_dim`)."""
        heard_BEH = self.voice(voice_BED)
        return torch.cat([heard_BEH.mean(1), (heard_BEH.var(1, unbiased=False) + 1e-5).sqrt()], -1)

    def encode(
        self, recording_BMX: Tensor, condition_B1H: Tensor, state: State = None
    ) -> tuple[Tensor, State]:
        x_BMSC = self._narrowed(recording_BMX)[0] + self.place
        x_BMSC, state = self._through(self.before, x_BMSC, condition_B1H, state)
        return x_BMSC.flatten(2), state

    def fuse(
        self, encoded_BMH: Tensor, recording_BMX: Tensor, estimate_BMX: Tensor, later_BMX: Tensor, condition_B1H: Tensor,
        state: State = None,
    ) -> tuple[Tensor, Tensor, State]:  # fmt: skip
        """The gain of the recording is complex."""
        B, M, _ = recording_BMX.shape
        now_BMSC, fine_NCS = self._narrowed(recording_BMX)
        both_BM4F = torch.cat([_parts(estimate_BMX), _parts(later_BMX)], 2)
        other_NCS = self.estimate_narrower(F.silu(self.estimate(both_BM4F.flatten(0, 1))))
        other_BMSC = other_NCS.transpose(1, 2).unflatten(0, (B, M))
        all_BMSX = torch.cat([encoded_BMH.unflatten(2, (self.subbands, -1)), now_BMSC, other_BMSC], -1)
        x_BMSC, state = self._through(self.after, self.mix(all_BMSX) + self.place, condition_B1H, state)
        x_NCS = self.wider(x_BMSC.flatten(0, 1).transpose(1, 2))
        x_NCS = F.silu(F.pad(x_NCS, (0, self.fine - x_NCS.shape[-1]), mode="replicate") + fine_NCS)
        gain_N3F = self.wide(x_NCS)
        gain_N3F = F.pad(gain_N3F, (0, self.config.bins - gain_N3F.shape[-1]), mode="replicate")
        real_BMF, imag_BMF, added_BMF = gain_N3F.float().unflatten(0, (B, M)).unbind(2)
        return torch.complex(real_BMF, imag_BMF), added_BMF.sigmoid(), state

    def _narrowed(self, x_BMX: Tensor) -> tuple[Tensor, Tensor]:
        """Subbands (B, M, S, C), and what the first convolution gives (B * M, C, 2S)."""
        B, M, _ = x_BMX.shape
        fine_NCS = F.silu(self.narrow(_parts(x_BMX).flatten(0, 1)))
        return self.narrower(fine_NCS).transpose(1, 2).unflatten(0, (B, M)), fine_NCS

    @staticmethod
    def _through(
        blocks: nn.ModuleList, x_BMSC: Tensor, condition_B1H: Tensor, state: State
    ) -> tuple[Tensor, State]:
        """state: those of all blocks, (blocks, B * S, C)."""
        states = []
        for number, block in enumerate(blocks):
            x_BMSC, after = block(
                x_BMSC, condition_B1H, None if state is None else state[number : number + 1]
            )
            states.append(after)
        return x_BMSC, torch.cat(states) if states else None


def _parts(x_BMX: Tensor) -> Tensor:
    """(B, M, 2F) -> real and imaginary parts (B, M, 2, F)."""
    return x_BMX.unflatten(2, (2, -1))

"""A harmonic and a noise source for the decoder, as in source-filter models of speech.

A feed-forward decoder at 25 codes/s cannot keep the phases of harmonics coherent from frame to frame: it would have to
count periods. So the decoder predicts F0 and voicing, an oscillator that carries its phase makes a pulse train of all
harmonics, and the decoder shapes its spectrum and that of white noise (DDSP, Engel et al. 2020; neural source-filter,
Wang et al. 2019; HiFTNet, Li et al. 2023, which does it in an inverse-STFT head as here).

Legend: B batch, S STFT frames (100 Hz), T samples, N bins.
Timeline: frame s of the inverse STFT spans hops s..s+3. F0 given with frame s rules hop s + 3, the newest that it needs,
so that a stream never waits; the first three hops take the F0 of frame 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from speechx.models.codec.layers import Conv, StreamState, Upsample

HOPS = 4
"""Hops an STFT frame spans."""

NOISE_HOPS = 400
TOP_HZ = 7600.0
LEVEL = 1 / 16
"""Brings the spectra of unit-variance sources under a 640-point Hann window near 1."""


@dataclass
class ExcitationState:
    """Where a stream of sources stands."""

    pulses_BT: torch.Tensor
    f0_B1: torch.Tensor
    phase_B1: torch.Tensor
    hop: int


class ExcitationSource(nn.Module):
    """F0 to the spectra of its pulse train and of noise. Not trained; no gradient passes."""

    window: torch.Tensor
    noise_T: torch.Tensor

    def __init__(self, hop: int, sample_rate: int) -> None:
        super().__init__()
        self.hop, self.sample_rate, self.size = hop, sample_rate, hop * HOPS
        self.register_buffer("window", torch.hann_window(self.size) * LEVEL, persistent=False)
        # The same noise for everybody: decoding is deterministic, and a stream equals the whole.
        noise = np.random.RandomState(20).standard_normal(NOISE_HOPS * hop).astype(np.float32)
        self.register_buffer("noise_T", torch.from_numpy(noise), persistent=False)

    @torch.no_grad()
    def forward(
        self, f0_BS: torch.Tensor, state: ExcitationState | None = None, noise_from: int = 0
    ) -> tuple[torch.Tensor, torch.Tensor, ExcitationState]:
        """F0 in Hz (0 = unvoiced) -> spectra of pulses (B, S, N) and noise (S, N), complex, and the state to go on from."""
        frames = f0_BS.shape[1]
        f0_BS = f0_BS.float()
        if state is None:
            hops_BS = torch.cat([f0_BS[:, :1].expand(-1, HOPS - 1), f0_BS], 1)
            pulses_BT, phase_B1 = self._pulses(
                hops_BS, f0_BS[:, :1], torch.zeros_like(f0_BS[:, :1], dtype=torch.float64)
            )
            first = noise_from
        else:
            new_BT, phase_B1 = self._pulses(f0_BS, state.f0_B1, state.phase_B1)
            pulses_BT = torch.cat([state.pulses_BT, new_BT], 1)
            first = state.hop
        at = (torch.arange((frames + HOPS - 1) * self.hop, device=f0_BS.device) + first * self.hop) % len(
            self.noise_T
        )
        keep = (HOPS - 1) * self.hop
        after = ExcitationState(pulses_BT[:, -keep:].clone(), f0_BS[:, -1:].clone(), phase_B1, first + frames)
        return self._stft(pulses_BT), self._stft(self.noise_T[at][None])[0], after

    def _stft(self, wav_BT: torch.Tensor) -> torch.Tensor:
        return torch.fft.rfft(wav_BT.unfold(1, self.size, self.hop) * self.window, dim=-1)

    def _pulses(
        self, f0_BS: torch.Tensor, before_B1: torch.Tensor, phase_B1: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Samples of all hops (B, S * hop) at unit variance where voiced, and the phase in cycles after them."""
        earlier_BS = torch.cat([before_B1, f0_BS[:, :-1]], 1)
        # From the F0 of the hop before to its own; an onset starts, and an end stays, on the one there is.
        start_BS = torch.where(earlier_BS > 0, earlier_BS, torch.where(f0_BS > 0, f0_BS, 100.0))
        stop_BS = torch.where(f0_BS > 0, f0_BS, start_BS)
        ramp_T = (torch.arange(self.hop, device=f0_BS.device) + 1) / self.hop

        def glide(a_BS: torch.Tensor, b_BS: torch.Tensor) -> torch.Tensor:
            return (a_BS[..., None] + (b_BS - a_BS)[..., None] * ramp_T).flatten(1)

        hertz_BT = glide(start_BS, stop_BS)
        voiced_BT = glide((earlier_BS > 0).float(), (f0_BS > 0).float())
        phase_BT = phase_B1 + (hertz_BT.double() / self.sample_rate).cumsum(1)
        angle_BT = (phase_BT % 1.0) * math.pi  # in double: hundredfold angles would magnify rounding
        harmonics_BT = (TOP_HZ / hertz_BT).floor()
        # The sum of H cosines in closed form (Dirichlet's kernel).
        bottom_BT = angle_BT.sin()
        near_BT = bottom_BT.abs() < 1e-4
        kernel_BT = ((2 * harmonics_BT + 1) * angle_BT).sin() / torch.where(near_BT, 1.0, bottom_BT)
        kernel_BT = torch.where(near_BT, 2 * harmonics_BT + 1, kernel_BT)
        pulses_BT = (kernel_BT - 1) * 0.5 * (2 / harmonics_BT).sqrt()
        return voiced_BT * pulses_BT.float(), phase_BT[:, -1:] % 1.0


class PitchNet(nn.Module):
    """F0 of the codes: latent (B, F, D) -> (log2 of F0 over 150 Hz, voicing logit), (B, 4 F) each.

    A branch of its own, in double precision at use: phases add up F0, so a stream and the whole may not differ in it by
    rounding. Causal but for one codec frame, like the decoder.
    """

    def __init__(self, dim: int, width: int = 96) -> None:
        super().__init__()
        self.enter = Conv(dim, width, 5, lookahead=1)
        self.middle = Conv(width, width, 5, lookahead=0)
        self.spread = Upsample(width, width // 2, HOPS)
        self.out = Upsample(width // 2, 2, 1)

    def forward(
        self, x_BFD: torch.Tensor, state: StreamState | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.enter(x_BFD, state)
        if x.shape[1] == 0:  # a stream still waiting for its look-ahead
            return x[..., 0], x[..., 0]
        x = x + self.middle(F.gelu(x), state)
        tone_BS2 = self.out(F.gelu(self.spread(F.gelu(x))))
        return tone_BS2[..., 0], tone_BS2[..., 1]

    def hertz(self, x_BFD: torch.Tensor, state: StreamState | None = None) -> torch.Tensor:
        """F0 in Hz, 0 where unvoiced, (B, 4 F) float32: in steps of 5 cents."""
        octave_BS, voicing_BS = self(x_BFD.double(), state)
        octave_BS = (octave_BS.clamp(-1.5, 1.9) * 256).round() / 256
        return torch.where(voicing_BS > 0, 150 * torch.exp2(octave_BS), 0.0).float()

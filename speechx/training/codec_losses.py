"""Reconstruction losses of the codec. Legend: B batch, T samples, N bins, M mel bands, S frames."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from speechx.audio.mel import htk_filters
from speechx.models.codec.acoustic import PITCH_AXES, STFT_FRAMES, pitch_axes
from speechx.models.ranks import ONE_RANK, Ranks


class MultiScaleMel(nn.Module):
    """L1 between log mel spectra at several window sizes (DAC, Kumar et al. 2023, section 3.4), L1 between log magnitudes
    bin by bin and spectral convergence (Parallel WaveGAN, Yamamoto et al. 2020, section 2.2).
    """

    def __init__(
        self,
        sample_rate: int,
        scales: tuple[tuple[int, int], ...] = ((256, 40), (512, 80), (1024, 100), (2048, 160)),
    ) -> None:
        super().__init__()
        self.sizes = [size for size, _ in scales]
        for size, bands in scales:
            self.register_buffer(
                f"mel_{size}", torch.from_numpy(htk_filters(sample_rate, size, bands)), persistent=False
            )
            self.register_buffer(f"window_{size}", torch.hann_window(size), persistent=False)

    def forward(
        self, out_BT: torch.Tensor, target_BT: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Returns (log mel L1, log magnitude L1, spectral convergence), each averaged over the scales."""
        both = torch.cat([out_BT, target_BT]).float()
        mels, logs, convergences = [], [], []
        for size in self.sizes:
            window, mel_MN = getattr(self, f"window_{size}"), getattr(self, f"mel_{size}")
            spec_BNS = torch.stft(both, size, size // 4, window=window, return_complex=True)
            power_BNS = spec_BNS.real.square() + spec_BNS.imag.square()
            magnitude_BNS = (power_BNS + 1e-8).sqrt()
            mel_BMS = torch.matmul(mel_MN, magnitude_BNS)
            out_log, target_log = (mel_BMS.clamp_min(5e-3)).log().chunk(2)
            out_mag, target_mag = magnitude_BNS.chunk(2)
            mels.append(F.l1_loss(out_log, target_log))
            out_fine, target_fine = magnitude_BNS.clamp_min(1e-2).log().chunk(2)
            logs.append(F.l1_loss(out_fine, target_fine))
            gap = (out_mag - target_mag).square().sum((1, 2)).sqrt()
            convergences.append((gap / target_mag.square().sum((1, 2)).sqrt().clamp_min(1.0)).mean())
        return torch.stack(mels).mean(), torch.stack(logs).mean(), torch.stack(convergences).mean()


def distillation_loss(
    student_BFE: torch.Tensor, teacher_BFE: torch.Tensor, mask_B: torch.Tensor, ranks: Ranks = ONE_RANK
) -> torch.Tensor:
    """1 - cosine to the standardized teacher features, over the items that have a teacher (SpeechTokenizer, section
    3.2). Of several ranks, the share of these rows in the mean over the whole batch.
    """
    cosine_BF = F.cosine_similarity(student_BFE.float(), teacher_BFE.float(), dim=-1)
    per_item_B = (1 - cosine_BF).mean(1)
    return (per_item_B * mask_B).sum() / ranks.sum(mask_B.sum()).clamp_min(1)


def pitch_losses(
    octave_BS: torch.Tensor, voicing_BS: torch.Tensor, f0_BS: torch.Tensor, has_f0_B: torch.Tensor,
    ranks: Ranks = ONE_RANK,
) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
    """(mean error of F0 in octaves over voiced frames, cross entropy of voicing), over the items whose F0 is known.

    Of several ranks, the share of these rows in the means over the whole batch.
    """
    known_BS = has_f0_B[:, None].expand_as(f0_BS)
    voiced_BS = (f0_BS > 0).float() * known_BS
    target_BS = (f0_BS.clamp_min(50.0) / 150).log2()
    voiced, known = ranks.sum(torch.stack([voiced_BS.sum(), known_BS.sum()])).clamp_min(1)
    octave = ((octave_BS - target_BS).abs() * voiced_BS).sum() / voiced
    entropy_BS = F.binary_cross_entropy_with_logits(voicing_BS, (f0_BS > 0).float(), reduction="none")
    return octave, (entropy_BS * known_BS).sum() / known


def anchor_losses(
    bend_BFD: torch.Tensor, f0_BS: torch.Tensor, has_f0_B: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """What keeps the acoustic latent what it is: how far the network bends the cepstra, and how wrong F0 and
    voicing in the last axes are. In squared log magnitude, a mean over STFT frames.
    """
    target_BF4, known_BF4 = pitch_axes(f0_BS)
    tone_BF4 = (bend_BFD[..., -PITCH_AXES:] - target_BF4).square() * known_BF4 * has_f0_B[:, None, None]
    bend = bend_BFD[..., :-PITCH_AXES].square().sum(-1).mean()
    return bend / STFT_FRAMES, tone_BF4.sum(-1).mean() / STFT_FRAMES


class EnvelopeLoss(nn.Module):
    """L1 between the decoder's levels and the log envelope of the target: without the randomness of the sources.

    The envelope is the power spectrum of the decoder's own STFT frames smoothed over 250 Hz (21 bins), wider than harmonics
    are apart in most voices.
    """

    window: torch.Tensor
    kernel: torch.Tensor

    def __init__(self, hop: int) -> None:
        super().__init__()
        self.hop, self.size = hop, hop * 4
        self.register_buffer("window", torch.hann_window(self.size), persistent=False)
        kernel = torch.hann_window(23, periodic=False)[1:-1]
        self.register_buffer("kernel", (kernel / kernel.sum())[None, None], persistent=False)

    def target(self, wav_BT: torch.Tensor) -> torch.Tensor:
        """(B, T) -> (B, S, N) log magnitude envelope."""
        lead = (self.size - self.hop) // 2
        padded_BT = F.pad(wav_BT.float(), (lead, self.size - self.hop - lead))
        spec_BNS = torch.stft(
            padded_BT, self.size, self.hop, window=self.window, center=False, return_complex=True
        )
        power_BSN = (spec_BNS.real.square() + spec_BNS.imag.square()).transpose(1, 2)
        flat = F.pad(power_BSN.flatten(0, 1)[:, None], (10, 10), mode="reflect")
        return 0.5 * (F.conv1d(flat, self.kernel)[:, 0].view_as(power_BSN) + 1e-4).log()

    def forward(self, level_BSN: torch.Tensor, wav_BT: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            target_BSN = self.target(wav_BT)
        return F.l1_loss(level_BSN.float(), target_BSN)

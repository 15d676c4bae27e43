"""The acoustic latent: distances in it are distances between log spectra; its last axes are the pitch."""

from __future__ import annotations

import numpy as np
import torch

from speechx.models.codec.acoustic import PITCH_SCALE, cepstral_matrix, chosen_terms, pitch_axes
from speechx.models.codec.config import SpectralConfig
from speechx.models.codec.spectral import SpectralCodec

BINS = 257


def smooth_spectra(rng: np.random.Generator) -> np.ndarray:
    """(4, N) log magnitudes that low orders describe: a sum of the cosines of the first terms."""
    mel = np.log10(1 + np.linspace(0, 8000, BINS) / 700)
    at = (np.arange(4) + 0.5) / 4
    return sum(
        rng.standard_normal() * np.outer(np.cos(np.pi * t * at), np.cos(np.pi * k * mel / mel[-1]))
        for k, t in chosen_terms(20)
    )


def test_distance_is_distance_between_log_spectra() -> None:
    rng = np.random.default_rng(1)
    a, b = smooth_spectra(rng), smooth_spectra(rng)
    matrix = cepstral_matrix(BINS, 60)
    latent = ((a - b).ravel() @ matrix).astype(float)
    mel = np.log10(1 + np.linspace(0, 8000, BINS) / 700)
    weight = np.gradient(mel) / np.gradient(mel).sum()
    spectra = (np.square(a - b) * weight).sum()  # four frames' mean squares over the mel axis
    np.testing.assert_allclose(np.square(latent).sum(), spectra, rtol=0.02)


def test_axes_are_told_apart() -> None:
    terms = chosen_terms(60)
    assert terms[0] == (0, 0) and len(set(terms)) == 60 and max(t for _, t in terms) == 3
    assert chosen_terms(44) == terms[:44], "a smaller latent keeps the first axes"


def test_pitch_axes() -> None:
    f0_BS = torch.tensor([[300.0] * 4 + [0.0] * 4 + [0.0, 0.0, 150.0, 150.0] + [150.0, 160.0, 170.0, 180.0]])
    target_BF4, known_BF4 = pitch_axes(f0_BS)
    octave, slope, voiced, voicing_slope = (target_BF4[0] / torch.tensor(PITCH_SCALE)).T
    torch.testing.assert_close(octave[[0, 2]], torch.tensor([1.0, 0.0]))
    assert abs(slope[0]) < 1e-6 and abs(slope[2]) < 1e-6 and slope[3] < 0, (
        "the first cosine falls, the pitch rises"
    )
    assert voiced.tolist() == [1.0, 0.0, 0.5, 1.0]
    assert voicing_slope[2] < 0 and abs(voicing_slope[0]) < 1e-6
    assert known_BF4[0, 1].tolist() == [0, 0, 1, 1], "nobody knows the pitch of what has none"


def test_the_latent_of_a_louder_sound_moves_along_the_first_axis() -> None:
    codec = SpectralCodec.from_config(SpectralConfig.preset("tiny"))
    wav_BT = torch.randn(1, 16000, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        (quiet_BFD, _, bend_BFD), (loud_BFD, _, _) = codec.encoder(wav_BT), codec.encoder(wav_BT * np.e)
    moved_D = (loud_BFD - quiet_BFD)[0, 3:-3].mean(0)
    assert abs(float(moved_D[0]) - 2.0) < 0.1, "one neper in each of four frames"
    assert float(moved_D[1:].abs().max()) < 0.1
    assert float(bend_BFD.abs().max()) < 0.1, "the network has next to no say at first"

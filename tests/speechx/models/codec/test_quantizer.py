"""Codebooks: they start on the data, follow it, and do not die."""

from __future__ import annotations

import torch

from speechx.models.codec.quantizer import ResidualQuantizer, VectorQuantizer


def clusters(count: int, each: int, dim: int = 4, seed: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    centers_VD = 10 * torch.randn(count, dim, generator=generator)
    return (centers_VD[:, None] + 0.01 * torch.randn(count, each, dim, generator=generator)).flatten(0, 1)


def test_a_codebook_starts_from_the_first_batch() -> None:
    torch.manual_seed(4)
    quantizer = VectorQuantizer(16, 4).train()
    x_ND = clusters(8, 64) + 100  # far from the random start
    quantized_ND, _ = quantizer(x_ND)
    assert bool(quantizer.started)
    error = (quantized_ND - x_ND).square().mean() / x_ND.var(0).mean()
    assert error < 0.2
    assert (quantizer.codebook_VD - 100).abs().max() < 60


def test_unused_entries_are_moved_onto_the_data() -> None:
    torch.manual_seed(5)
    quantizer = VectorQuantizer(16, 4, decay=0.5).train()
    x_ND = clusters(16, 32)
    quantizer(x_ND)
    quantizer.codebook_VD[4:] = 1e3  # nobody is near these
    quantizer.sum_VD.copy_(quantizer.codebook_VD * quantizer.count_V[:, None])
    for _ in range(12):
        _, codes_N = quantizer(x_ND)
    assert quantizer.codebook_VD.abs().max() < 100
    assert len(codes_N.unique()) > 8


def test_nothing_is_learned_in_use() -> None:
    quantizer = VectorQuantizer(16, 4).eval()
    before = quantizer.codebook_VD.clone()
    quantizer(clusters(4, 8))
    assert torch.equal(before, quantizer.codebook_VD)


def test_the_nearest_entry_is_chosen() -> None:
    quantizer = VectorQuantizer(32, 4)
    x_ND = torch.randn(50, 4)
    assert torch.equal(quantizer.nearest(x_ND), torch.cdist(x_ND, quantizer.codebook_VD).argmin(1))


def test_each_codebook_takes_what_is_left() -> None:
    torch.manual_seed(6)
    quantizer = ResidualQuantizer(4, 64, 8).train()
    x_BFD = torch.randn(4, 64, 8)
    for _ in range(20):
        quantizer(x_BFD)
    quantizer.eval()
    errors = []
    for keep in range(1, 5):
        out_BFD, codes_BKF, _ = quantizer(x_BFD, torch.full((4,), keep))
        errors.append(float((out_BFD - x_BFD).square().mean()))
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.25 * errors[0]
    out_BFD, codes_BKF, _ = quantizer(x_BFD)
    torch.testing.assert_close(quantizer.lookup(codes_BKF), out_BFD, atol=1e-5, rtol=1e-5)


def test_gradients_pass_straight_through() -> None:
    torch.manual_seed(7)
    quantizer = ResidualQuantizer(2, 16, 4).train()
    x_BFD = torch.randn(2, 16, 4, requires_grad=True)
    out_BFD, _, _ = quantizer(x_BFD)
    out_BFD.sum().backward()
    assert x_BFD.grad is not None
    torch.testing.assert_close(x_BFD.grad, torch.ones_like(x_BFD))

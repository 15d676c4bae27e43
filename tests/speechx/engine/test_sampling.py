"""Drawing: top-p, temperature, repetition, seeds."""

import numpy as np
import pytest
import torch

from speechx.engine.sampling import BatchSampler, SamplingParams, UniformStream, draw


def test_draws_follow_the_distribution() -> None:
    logits = torch.log(torch.tensor([[0.1, 0.6, 0.3]])).expand(20000, 3)
    uniform = torch.rand(20000, 1, generator=torch.Generator().manual_seed(0))
    one = torch.ones(20000, 1)
    counts = torch.bincount(draw(logits, uniform, one, None), minlength=3) / 20000
    torch.testing.assert_close(counts, torch.tensor([0.1, 0.6, 0.3]), atol=0.02, rtol=0)
    # The smallest set that holds 0.8 of the mass is {1, 2}.
    counts = torch.bincount(draw(logits, uniform, one, one * 0.8), minlength=3) / 20000
    torch.testing.assert_close(counts, torch.tensor([0.0, 2 / 3, 1 / 3]), atol=0.02, rtol=0)
    assert (draw(logits, uniform, one * 0.05, None) == 1).all()


@pytest.mark.parametrize("uniform", [0.0, 1.0 - 2**-24])
@pytest.mark.parametrize("top_p", [1e-6, 0.5, 1.0])
def test_the_ends_of_the_interval_give_a_value(uniform: float, top_p: float) -> None:
    column = torch.ones(1, 1)
    value = draw(torch.randn(1, 1024), column * uniform, column, column * top_p)
    assert 0 <= value.item() < 1024


def test_a_repeated_code_is_drawn_again() -> None:
    sampler = BatchSampler([SamplingParams(top_p=0.01, repetition_window=4, repetition_threshold=0.5)] * 2)
    logits = torch.tensor([[3.0, 2.9, 2.8]] * 2)
    recent = torch.tensor([[0, 0, 0, 1], [0, 1, 2, -1]])
    high = torch.full((2, 1), 0.99)
    chosen = sampler.choose_first(logits, high, high, recent)
    assert chosen.tolist() == [2, 0]


def test_greedy_and_drawn_requests_share_a_batch() -> None:
    sampler = BatchSampler([SamplingParams(greedy=True), SamplingParams(temperature=5.0, top_p=1.0)])
    logits = torch.tensor([[0.0, 1.0, 0.5]] * 2)
    chosen = sampler.choose(logits, torch.full((2, 1), 0.99), sampler.fine)
    assert chosen.tolist() == [1, 0]


def test_random_numbers_are_the_requests_own() -> None:
    first, again, other = UniformStream(7, 10), UniformStream(7, 10), UniformStream(8, 10)
    rows = [first.row() for _ in range(600)]
    np.testing.assert_array_equal(rows, [again.row() for _ in range(600)])
    assert not np.array_equal(rows[0], other.row())
    assert len({row.tobytes() for row in rows}) == 600


@pytest.mark.parametrize(
    "bad", [{"temperature": 0}, {"top_p": 0}, {"top_p": 1.1}, {"max_frames": 0}, {"repetition_window": -1}]
)
def test_params_out_of_range_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(bad))):
        SamplingParams(**bad)  # type: ignore[arg-type]

"""The demo's seeds are those of the rule in scripts/choose_demo_seeds.py: the fifth of ten by word errors and number."""

from __future__ import annotations

import json

import pytest

from speechx.cli.demo import SEEDS
from speechx.cli.samples import Sample, sample_requests

CHOSEN = json.loads(SEEDS.read_text("utf-8"))["samples"]


@pytest.mark.parametrize("sample", sample_requests(), ids=lambda sample: sample.title)
def test_a_seed_is_the_median(sample: Sample) -> None:
    chosen = CHOSEN[sample.title]
    if sample.output_text is None:
        assert chosen == {"seed": 0}, "where no words are expected, it is the first"
        return
    errors = chosen["wer_of_all"]
    assert len(errors) == 10
    fifth = sorted(range(10), key=lambda seed: (errors[seed], seed))[4]
    assert chosen["seed"] == fifth and chosen["wer"] == errors[fifth]

"""Outputs that can and cannot be scored."""

from __future__ import annotations

import numpy as np
import pytest

from speechx.eval.items import Output, check_output
from speechx.eval.scores import Unmeasurable


@pytest.mark.parametrize(
    ("wav_T", "says"),
    [(np.zeros(0), "empty"), (np.full(16000, np.nan), "not finite"), (np.zeros((2, 16000)), "2 dimensions")],
)
def test_outputs_that_are_no_sound(wav_T: np.ndarray, says: str) -> None:
    with pytest.raises(Unmeasurable, match=says):
        check_output(Output(wav_T))


def test_outputs_of_other_rates_are_resampled() -> None:
    assert len(check_output(Output(np.zeros(24000, np.float32), 24000))) == 16000

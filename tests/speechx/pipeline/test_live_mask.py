"""A mask on arriving sound: the same in any blocks, as long as the input, and continued elsewhere."""

from __future__ import annotations

import pickle
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from speechx.audio import levels
from speechx.errors import InputError
from speechx.models.refiner import RefinerConfig, make_refiner
from speechx.pipeline.live_mask import LATENCY_SECONDS, push_live
from tests.conftest import voice


@pytest.fixture(scope="module", params=["bands", "complex"])
def net(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    facts = {"width": 16, "fused": 16, "channels": 8, "heads": 2, "blocks": (1, 1)}
    if request.param == "complex":
        facts["ahead"] = 4
    return SimpleNamespace(refiner=make_refiner(RefinerConfig(kind=request.param, **facts)).eval())


def masked(net: Any, wav_T: np.ndarray, block: int) -> np.ndarray:
    mask, out, given = None, [], 0
    for at in range(0, len(wav_T), block):
        last = at + block >= len(wav_T)
        out_T, mask = push_live(net, "noise_suppression", mask, wav_T[at : at + block], last)
        mask = pickle.loads(pickle.dumps(mask))
        out.append(out_T)
        given += len(out_T)
        heard = min(at + block, len(wav_T))
        assert heard - given <= LATENCY_SECONDS * 16000, "the latency that is stated"
    return np.concatenate(out)


@pytest.mark.parametrize("samples", [1, 255, 4000, 40_001])
@pytest.mark.parametrize("block", [100, 640, 7777])
def test_as_long_as_the_input(net: Any, samples: int, block: int) -> None:
    assert len(masked(net, voice(3.0)[:samples], block)) == samples


def test_blocks_make_no_difference_once_the_level_is_known(net: Any) -> None:
    wav_T = voice(4.0)
    a_T, b_T = masked(net, wav_T, 640), masked(net, wav_T, 6400)
    assert np.abs(a_T - b_T)[16000:].max() < 0.03 * np.abs(wav_T).max()


def test_its_state_is_small_however_long_it_runs(net: Any) -> None:
    mask = None
    sizes = []
    for _ in range(300):
        _, mask = push_live(net, "noise_suppression", mask, voice(0.1))
        sizes.append(len(pickle.dumps(mask)))
    assert max(sizes[150:]) <= max(sizes[100:150]) + 4096 and max(sizes) < 200_000


def test_what_cannot_be_live(net: Any) -> None:
    with pytest.raises(InputError, match="takes no live sound"):
        push_live(net, "tts", None, np.zeros(10, np.float32))
    with pytest.raises(InputError, match="comes without a refiner"):
        push_live(SimpleNamespace(refiner=None), "noise_suppression", None, np.zeros(10, np.float32))  # type: ignore[arg-type]


def test_the_running_level_is_that_of_the_whole() -> None:
    wav_T = voice(3.0) * 0.3
    level = levels.RunningLevel(500)
    for part_T in np.array_split(wav_T, 17):
        level.push(part_T)
    assert level.standard_gain() == pytest.approx(levels.standard_gain(wav_T), rel=0.01)
    assert levels.RunningLevel(5).standard_gain() == 1

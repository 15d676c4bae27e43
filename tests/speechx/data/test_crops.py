"""Crops for the codec: item i is the same whoever asks, whenever."""

from __future__ import annotations

import numpy as np
import torch

from speechx.data.crops import CropDataset, convolve, synthetic_room
from speechx.data.packs import TEACHER_DIM, AudioPack


def crops(pack: AudioPack, seed: int = 1) -> CropDataset:
    return CropDataset(pack, frames=25, items=60, seed=seed, corpus_weights={})


def test_an_item_depends_on_seed_and_number_alone(pack: AudioPack) -> None:
    first, second, other = crops(pack), crops(pack), crops(pack, seed=2)
    later = [second[i] for i in reversed(range(20))][::-1]
    for number in range(20):
        for a, b in zip(first[number], later[number], strict=True):
            assert torch.equal(a, b)
    assert not torch.equal(first[0][0], other[0][0])


def test_items_are_as_promised(pack: AudioPack) -> None:
    items = [crops(pack)[i] for i in range(60)]
    for wav_T, teacher_FE, has_teacher, *_ in items:
        assert wav_T.shape == (25 * 640,) and teacher_FE.shape == (25, TEACHER_DIM)
        assert wav_T.dtype == torch.float32 and float(wav_T.abs().max()) <= 0.981
        assert bool(wav_T.isfinite().all()) and float(has_teacher) in (0.0, 1.0)
    with_teacher = sum(float(item[2]) for item in items)
    assert 15 < with_teacher < 60  # noise alone and two voices have none


def test_held_out_rows_are_never_seen(pack: AudioPack) -> None:
    data = crops(pack)
    assert {row.split for row in data.speech + data.noise} == {"train"}


def test_a_room_keeps_the_direct_path_in_place() -> None:
    rng = np.random.default_rng(2)
    click_T = np.zeros(8000, np.float32)
    click_T[100] = 1
    wet_T = convolve(click_T, synthetic_room(rng, 16000))
    assert len(wet_T) == 8000 and int(np.abs(wet_T).argmax()) == 100 and np.abs(wet_T[:100]).max() < 1e-5

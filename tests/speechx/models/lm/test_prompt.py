"""Packing: order, rotary positions, prefixes, refusals; and the training batch made of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechx.models import vocab
from speechx.models.lm.batch import IGNORE, PAST_END, TrainExample, collate, legal_pointer, track_inputs
from speechx.models.lm.config import LMConfig
from speechx.models.lm.prompt import (
    FLAG_ALIGNED,
    FLAG_FRAME,
    FLAG_TARGET,
    Frames,
    Prompt,
    Text,
    TextTrack,
    Token,
    pack,
)
from speechx.tasks.noise_suppression import NS
from speechx.tasks.target_speaker_extraction import TSE

TINY = LMConfig.preset("tiny")


def codes(frames: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 1024, (frames, 8))


PHONES = np.array([1, 20, 30, 40, 1])


def test_vocabulary_ranges_do_not_meet() -> None:
    assert vocab.task_token(0) == 32 and vocab.task_token(63) == 95
    assert vocab.language_token("en") == 96
    for call in (
        lambda: vocab.task_token(64),
        lambda: vocab.language_token("xx"),
    ):
        with pytest.raises(ValueError):
            call()


def test_text_comes_last_and_aligned_frames_stand_where_the_target_stands() -> None:
    mixture = Frames(codes(4), aligned=True)
    prompt = Prompt(3, (Text(PHONES, "fr"), Frames(codes(2), cache_key="v"), Token(TSE), mixture), frames=4)
    packed = pack(prompt)
    tokens = [35, 0, 0, TSE, 0, 0, 0, 0, vocab.language_token("fr"), *(128 + PHONES)]
    assert packed.tokens_T.tolist() == tokens
    assert packed.target_position == 10  # task, voice, marker, language, phones
    assert packed.positions_T.tolist() == [0, 1, 2, 3, 10, 11, 12, 13, 4, 5, 6, 7, 8, 9]
    assert packed.flags_T[1] == FLAG_FRAME and packed.flags_T[4] == FLAG_ALIGNED
    assert packed.prefix_len == 3 and packed.prefix_key is not None


def test_the_prefix_key_is_that_of_its_content() -> None:
    def key(seed: int, slot: int = 0, cached: str | None = "v") -> str | None:
        return pack(Prompt(slot, (Frames(codes(3, seed), cache_key=cached),), frames=1)).prefix_key

    assert key(0) == key(0) and len({key(0), key(1), key(0, slot=1)}) == 3
    assert key(0, cached=None) is None


@pytest.mark.parametrize(
    ("prompt", "message"),
    [
        (Prompt(0, ()), "needs a track"),
        (Prompt(0, (), frames=0), "at least one frame"),
        (Prompt(0, (), TextTrack(PHONES, 3, 3)), "not inside"),
        (Prompt(0, (Frames(codes(2)[:, :7]),), frames=1), "expected"),
        (Prompt(0, (Text(PHONES[:0], "en"),), frames=1), "no phones"),
        (Prompt(64, (), frames=1), "outside 0..63"),
    ],
)
def test_a_prompt_that_cannot_be_decoded_is_refused(prompt: Prompt, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pack(prompt)


@given(st.data())
def test_a_legal_pointer_is_one_that_decoding_can_take(data: st.DataObject) -> None:
    stop = data.draw(st.integers(2, 30))
    track = TextTrack(np.zeros(stop + 2, np.int64), data.draw(st.integers(0, stop - 1)), stop)
    wanted = np.sort(data.draw(st.lists(st.integers(0, stop + 1), min_size=1, max_size=40)))
    pointer, advance = legal_pointer(wanted, track, 3)
    assert pointer[0] == track.start and pointer.max() < stop
    assert (advance >= 0).all() and (advance <= 3).all()
    assert (np.diff(pointer) == advance[:-1]).all()


def test_what_a_target_step_sees_of_the_track() -> None:
    phones, age = track_inputs(np.array([1, 1, 2, 4, 4, 4]), TextTrack(PHONES, 1, 5))
    assert phones[0].tolist() == [20, 30, 40] and phones[3].tolist() == [1, PAST_END, PAST_END]
    assert age.tolist() == [0, 1, 0, 0, 1, 2]


def test_collate() -> None:
    spoken = Prompt(0, (Text(PHONES, "en"),), TextTrack(PHONES, 0, 5))
    noisy = codes(3, 5)
    aligned = Prompt(2, (Token(NS), Frames(noisy, aligned=True)), track_codes_FK=noisy, frames=3)
    target, clean = codes(4, 1), codes(3, 2)
    examples = [
        TrainExample(pack(spoken), target, np.array([0, 1, 3, 4])),
        TrainExample(pack(aligned), clean),
    ]
    batch = collate(examples, TINY)
    assert batch.tokens_BT.shape == (2, 11) and list(map(len, examples)) == [11, 8]
    P = 7
    assert batch.tokens_BT[0, P] == vocab.BOS and (batch.flags_BT[0, P:] == FLAG_TARGET).all()
    assert (batch.codes_BTG[0, P] == -1).all()
    np.testing.assert_array_equal(batch.codes_BTG[0, P + 1 :], target[:-1])
    np.testing.assert_array_equal(batch.target_codes_BTG[0, P:], target)
    assert batch.target_advance_BT[0].tolist() == [IGNORE] * P + [1, 2, 1, 1]
    assert (batch.target_advance_BT[1] == IGNORE).all() and (batch.track_phones_BT3[1] == -1).all()
    assert batch.target_index_N.tolist() == [7, 8, 9, 10, 16, 17, 18]
    assert batch.track_codes_BT2G is not None
    np.testing.assert_array_equal(batch.track_codes_BT2G[1, 5:8, 0], noisy)
    np.testing.assert_array_equal(batch.track_codes_BT2G[1, 5:7, 1], noisy[1:])
    assert (batch.track_codes_BT2G[1, 7, 1] == -1).all()
    assert batch.positions_BT[1, 5:8].tolist() == batch.positions_BT[1, 2:5].tolist()
    with pytest.raises(ValueError, match="at most 10"):
        collate(examples, TINY.with_(max_positions=10))


def test_a_config_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="no key dmi"):
        LMConfig.from_dict({"dmi": 4})
    with pytest.raises(ValueError, match="no preset"):
        LMConfig.preset("huge")
    with pytest.raises(ValueError, match="no key frames_per_step"):
        LMConfig.preset("tiny", frames_per_step=2)
    assert LMConfig.preset("tiny", frames_per_step=1) == TINY, "a key of the first release"
    assert LMConfig.from_dict(TINY.to_dict()) == TINY

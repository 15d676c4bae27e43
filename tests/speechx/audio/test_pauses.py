"""Long pauses become short ones; everything that is heard stays, whatever the pieces it comes in."""

import itertools

import numpy as np
import pytest

from speechx.audio.pauses import PauseShortener

RATE = 16000


def tone(seconds: float) -> np.ndarray:
    return (0.3 * np.sin(np.arange(round(seconds * RATE)) / 5)).astype(np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 1e-4, round(seconds * RATE)).astype(np.float32)


def shortened(wav_T: np.ndarray, longest: float, size: int) -> tuple[np.ndarray, PauseShortener]:
    pauses = PauseShortener(RATE, longest)
    pieces = [pauses.push(wav_T[i : i + size]) for i in range(0, len(wav_T), size)]
    return np.concatenate([*pieces, pauses.close()]), pauses


@pytest.mark.parametrize("size", [100, 1111, 100_000])
def test_a_long_pause_becomes_a_short_one(size: int) -> None:
    spoken = tone(1.0), tone(0.6)
    wav_T = np.concatenate([spoken[0], silence(1.2), spoken[1]])
    out_T, pauses = shortened(wav_T, 0.5, size)
    assert len(out_T) == len(wav_T) - round(0.7 * RATE)
    np.testing.assert_array_equal(out_T[:RATE], spoken[0])
    np.testing.assert_array_equal(out_T[-len(spoken[1]) :], spoken[1])
    np.testing.assert_array_equal(out_T, shortened(wav_T, 0.5, 7777)[0])
    assert (
        pauses.moved(0.8) == 0.8
        and pauses.moved(2.2) == pytest.approx(1.5)
        and pauses.moved(2.6) == pytest.approx(1.9)
    )


def test_short_pauses_and_noise_stay_as_they_are() -> None:
    noisy_T = tone(2.0) * (np.arange(2 * RATE) % 16000 < 10000) + 100 * silence(2.0)
    for wav_T in (np.concatenate([tone(1.0), silence(0.4), tone(1.0)]), noisy_T, tone(0.013), silence(0.3)):
        out_T, pauses = shortened(wav_T, 0.5, 640)
        np.testing.assert_array_equal(out_T, wav_T)
        assert pauses.moved(0.9) == 0.9


def test_the_sound_just_before_speech_is_kept() -> None:
    """A quiet consonant of 60 ms at the end of a long pause."""
    soft_T = 0.004 * tone(0.06)
    out_T, _ = shortened(np.concatenate([tone(1.0), silence(1.2), soft_T, tone(0.5)]), 0.5, 640)
    end = len(out_T) - len(tone(0.5))
    np.testing.assert_array_equal(out_T[end - len(soft_T) : end], soft_T)


def test_a_pause_at_the_end() -> None:
    out_T, _ = shortened(np.concatenate([tone(1.0), silence(2.0)]), 0.5, 640)
    assert len(out_T) == round(1.5 * RATE)


@pytest.mark.parametrize("size", [100, 7777])
def test_a_word_ends_where_the_pause_behind_it_begins(size: int) -> None:
    _, pauses = shortened(np.concatenate([tone(1.0), silence(0.8), tone(1.0)]), 0.5, size)
    assert pauses.placed(0.4, 1.4) == pytest.approx((0.4, 1.0)), "late by the pause so far"
    assert pauses.placed(0.4, 0.7) == (0.4, 0.7), "speech goes on"
    assert pauses.placed(0.4, 1.06) == (0.4, 1.06), "60 ms may be the closure of a consonant"
    assert pauses.placed(1.2, 1.4) == pytest.approx((1.2, 1.22)), (
        "a word has a length, even one that nobody hears"
    )
    assert pauses.placed(1.9, 2.5) == pytest.approx((1.6, 2.2))


def test_words_have_an_order_and_do_not_change_once_they_are_decided_on() -> None:
    """Words of every place and length, also within a pause, in pieces of any size."""
    wav_T = np.concatenate([tone(1.0), silence(2.0), tone(1.0), silence(1.0)])
    spans = [(a, a + length) for a in np.arange(0, 4.8, 0.04) for length in (0.04, 0.08, 0.36)]
    _, whole = shortened(wav_T, 0.5, len(wav_T))
    for size in (320, 1234):
        pauses, sent = PauseShortener(RATE, 0.5), dict[tuple[float, float], tuple[float, float]]()
        for i in range(0, len(wav_T), size):
            pauses.push(wav_T[i : i + size])
            for span in spans:
                if span[1] <= pauses.taken:
                    placed = pauses.placed(*span)
                    assert sent.setdefault(span, placed) == placed, "it was sent"
        pauses.close()
        assert all(whole.placed(*span) == placed for span, placed in sent.items())
    moments = [whole.moved(at) for at in np.arange(0, 5, 0.005)]
    assert all(a <= b + 1e-9 for a, b in itertools.pairwise(moments))
    assert all(whole.placed(*span)[1] > whole.placed(*span)[0] for span in spans)

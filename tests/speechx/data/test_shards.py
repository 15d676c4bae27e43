"""Training pairs survive a shard, whatever they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechx.data import shards
from speechx.data.shards import Shards, ShardWriter, decode_pair, encode_pair
from speechx.errors import InputError
from speechx.models.lm.prompt import Frames, Prompt, Text, TextTrack, Token
from speechx.task.examples import TrainingPair

K = 8


def codes(rng: np.random.Generator, frames: int) -> np.ndarray:
    return rng.integers(0, 1024, (frames, K)).astype(np.int16)


@st.composite
def pairs(draw: st.DrawFn) -> TrainingPair:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    segments: list[Token | Text | Frames] = []
    for kind in draw(st.lists(st.sampled_from("tfx"), max_size=5)):
        size = draw(st.integers(0, 20))
        if kind == "t":
            segments.append(Token(draw(st.integers(2, 31))))
        elif kind == "f":
            segments.append(Frames(codes(rng, size), aligned=draw(st.booleans())))
        else:
            language = draw(st.sampled_from(["en", "es", "fr", "de", "it", "pt", "nl", "fy", "yue", "zza"]))
            segments.append(Text(rng.integers(0, 384, size).astype(np.int64), language))
    frames = draw(st.integers(1, 30))
    track, pointer_F = None, None
    if draw(st.booleans()):
        ids = rng.integers(0, 384, draw(st.integers(1, 25))).astype(np.int64)
        start = draw(st.integers(0, len(ids) - 1))
        track = TextTrack(ids, start, draw(st.integers(start + 1, len(ids))))
        pointer_F = np.sort(rng.integers(track.start, track.stop, frames)).astype(np.int32)
    prompt = Prompt(
        slot=draw(st.integers(0, 63)),
        segments=tuple(segments),
        track=track,
        track_codes_FK=codes(rng, frames) if draw(st.booleans()) else None,
        previous_K=codes(rng, 1)[0] if draw(st.booleans()) else None,
        frames=frames if draw(st.booleans()) else None,
    )
    return TrainingPair(prompt, codes(rng, frames), pointer_F)


def assert_same(a: object, b: object) -> None:
    """Deep equality of dataclasses, tuples and arrays; what caches prompts is not kept."""
    if isinstance(a, np.ndarray):
        assert isinstance(b, np.ndarray)
        np.testing.assert_array_equal(a, b)
    elif isinstance(a, tuple):
        assert isinstance(b, tuple) and len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    elif hasattr(a, "__dataclass_fields__"):
        assert type(a) is type(b)
        for name in a.__dataclass_fields__:
            assert_same(getattr(a, name), getattr(b, name))
    else:
        assert a == b


@settings(max_examples=60, deadline=None)
@given(pairs())
def test_a_pair_comes_back_as_it_was(pair: TrainingPair) -> None:
    assert_same(decode_pair(encode_pair(pair)), pair)


@settings(max_examples=10, deadline=None)
@given(st.lists(pairs(), min_size=1, max_size=12))
def test_shards_keep_pairs_in_order(
    tmp_path_factory: pytest.TempPathFactory, items: list[TrainingPair]
) -> None:
    folder = tmp_path_factory.mktemp("shards")
    with ShardWriter(folder, "x", "abc", 1) as writer:
        for pair in items:
            writer.add(pair)
    read = Shards([folder], "abc")
    assert len(read) == len(items) and read.slots().tolist() == [p.prompt.slot for p in items]
    for a, b in zip(read, items, strict=True):
        assert_same(a, b)


def test_an_added_language_is_the_same_in_any_process() -> None:
    def pair(language: str) -> TrainingPair:
        prompt = Prompt(0, (Text(np.arange(3), language),), None, None, None, 4)
        return TrainingPair(prompt, np.zeros((4, K), np.int16), None)

    (text,) = decode_pair(encode_pair(pair("nl"))).prompt.segments
    assert isinstance(text, Text) and text.language == "nl"
    with pytest.raises(ValueError, match="'dutch' is no code"):
        encode_pair(pair("dutch"))


def simple(frames: int = 10) -> TrainingPair:
    return TrainingPair(Prompt(0, (), None, None, None, frames), np.zeros((frames, K), np.int16), None)


def test_a_full_shard_starts_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "MAX_BYTES", 1000)
    with ShardWriter(tmp_path, "x", "abc", 1) as writer:
        for _ in range(20):
            writer.add(simple())
    assert len(list(tmp_path.iterdir())) > 2 and len(Shards([tmp_path])) == 20


def test_a_failed_writer_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), ShardWriter(tmp_path, "x", "abc", 1) as writer:
        writer.add(simple())
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_shards_of_another_codec_are_refused(tmp_path: Path) -> None:
    with ShardWriter(tmp_path, "x", "abc", 1) as writer:
        writer.add(simple())
    with pytest.raises(ValueError, match="made with codec abc, the model wants def"):
        Shards([tmp_path], "def")
    with pytest.raises(ValueError, match="no shards"):
        Shards([tmp_path / "nothing"])


def test_pairs_of_the_same_name_are_not_overwritten(tmp_path: Path) -> None:
    """Another pack, with the same task and seed."""
    for _ in range(2):
        with ShardWriter(tmp_path, "tts-train-1", "abc", 1) as writer:
            writer.add(simple())
        with pytest.raises(InputError, match="has pairs named tts-train-1 already"):
            ShardWriter(tmp_path, "tts-train-1", "abc", 1)
        next(tmp_path.iterdir()).unlink()


def test_a_damaged_shard_is_named(tmp_path: Path) -> None:
    (tmp_path / "x-0000.safetensors").write_bytes(b"half a shard")
    with pytest.raises(InputError, match=r"x-0000\.safetensors is damaged"):
        Shards([tmp_path])


def test_a_number_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        encode_pair(simple(40_000))

"""Writing whole or not at all, and encoders that give bytes as the sound is made."""

from __future__ import annotations

import errno
import itertools
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechx.audio import levels, reading, writing
from speechx.errors import InputError
from tests.speechx.audio.test_reading import noise, similarity, tone


@pytest.mark.parametrize("format", writing.FORMATS[:5])
def test_stream_decodes_to_the_whole(format: str) -> None:
    wav_T = tone(2.0) + noise(2.0)
    encoder = writing.StreamEncoder(format, 16000)
    parts = [encoder.push(wav_T[i : i + 1280]) for i in range(0, len(wav_T), 1280)] + [encoder.close()]
    got = reading.read(b"".join(parts))
    assert len(got) == pytest.approx(len(wav_T), abs=2500)  # an mp3 stream keeps its encoder's delay
    offset = int(np.argmax(np.correlate(got[:20000], wav_T[4000:12000], "valid"))) - 4000
    assert 0 <= offset < 2500
    assert similarity(got[offset:], wav_T) > 0.9
    assert sum(map(len, parts[:5])) > 0, "something goes out within 0.4 s"


@pytest.mark.parametrize(
    ("format", "seconds"),
    [("wav", 0.01), ("pcm", 0.01), ("opus", 0.2), ("mp3", 0.2), ("aac", 0.3), ("flac", 0.6)],
)
def test_first_sound_goes_out_soon(format: str, seconds: float) -> None:
    encoder = writing.StreamEncoder(format, 16000)
    header = len(encoder.push(np.zeros(0, np.float32)))
    sent = b"".join(encoder.push(noise(seconds / 4, seed)) for seed in range(4))
    assert len(sent) + header > 300


@settings(max_examples=20, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 3000), min_size=1, max_size=8),
    format=st.sampled_from(["pcm", "flac", "opus"]),
)
def test_cuts_do_not_matter(sizes: list[int], format: str) -> None:
    wav_T = noise(2.0)[: sum(sizes)]
    bounds = np.cumsum([0, *sizes])
    whole, cut = writing.StreamEncoder(format, 16000), writing.StreamEncoder(format, 16000)
    once = whole.push(wav_T) + whole.close()
    parts = [cut.push(wav_T[a:b]) for a, b in itertools.pairwise(bounds)]
    many = b"".join([*parts, cut.close()])
    if format == "opus":  # pages carry a random serial number
        assert len(many) == pytest.approx(len(once), rel=0.2, abs=400)
    else:
        assert many == once


def test_wav_stream_header_says_unknown() -> None:
    encoder = writing.StreamEncoder("wav", 16000)
    data = encoder.push(tone(0.1)) + encoder.close()
    assert data[:4] == b"RIFF" and data[40:44] == b"\xff" * 4
    assert len(data) == 44 + 3200
    empty = writing.StreamEncoder("wav", 16000)
    assert len(empty.close()) == 44


def test_pcm_is_little_endian() -> None:
    data = writing.encode(np.array([0.0, 0.5, -1.0, 1.0, 2.0], np.float32), 16000, "pcm")
    assert np.array_equal(np.frombuffer(data, "<i2"), [0, 16384, -32768, 32767, 32767])


def test_suffixes_and_formats(tmp_path: Path) -> None:
    assert writing.format_of("a/b.OGG") == "opus"
    assert writing.format_of("noname", "flac") == "flac"
    with pytest.raises(InputError, match=r"'.xyz' is not one of .*\.wav") as caught:
        writing.format_of("x.xyz")
    assert caught.value.field == "output"
    with pytest.raises(InputError, match="'aiff' is not one of wav"):
        writing.encode(tone(), 16000, "aiff")
    with pytest.raises(InputError, match="opus cannot hold 44100 Hz"):
        writing.encode(tone(), 44100, "opus")
    assert set(writing.MEDIA_TYPES) == set(writing.FORMATS)


def test_a_failed_write_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = writing.write(tmp_path / "x.wav", tone(), 16000)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="the disk is full") as caught:
        writing.write(path, noise(), 16000)
    assert caught.value.field == "output"
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_interrupted_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        writing.write(tmp_path / "x.wav", noise(), 16000)
    assert list(tmp_path.iterdir()) == []


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file or directory"):
        writing.write(tmp_path / "none" / "x.wav", tone(), 16000)


@settings(max_examples=40, deadline=None)
@given(level=st.floats(-60, -1), target=st.floats(-40, -3))
def test_normalizing(level: float, target: float) -> None:
    wav_T = levels.normalize_peak(noise(0.5), level)
    assert levels.peak_db(wav_T) == pytest.approx(level, abs=0.01)
    got = levels.normalize_rms(wav_T, target)
    assert levels.peak_db(got) <= -0.99
    if levels.peak_db(got) < -1.1:
        assert levels.rms_db(got, active=True) == pytest.approx(target, abs=0.1)


def test_silent_and_clipped() -> None:
    assert levels.is_silent(np.zeros(16000, np.float32)) and levels.is_silent(noise() * 1e-4)
    burst = np.zeros(16000, np.float32)
    burst[8000:8800] = tone(0.05)
    assert not levels.is_silent(burst)
    assert not levels.is_clipped(noise()) and not levels.is_clipped(tone())
    assert levels.is_clipped(np.clip(8 * noise(), -0.5, 0.5))
    assert levels.clipped_share(np.zeros(0, np.float32)) == 0
    silence = np.zeros(100, np.float32)
    assert np.array_equal(levels.normalize_rms(silence), silence)
    assert np.array_equal(levels.normalize_peak(silence), silence)

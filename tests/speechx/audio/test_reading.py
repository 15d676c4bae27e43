"""Reading: every format, rate and shape, and a sentence for everything that cannot be read."""

from __future__ import annotations

import contextlib
import io
import os
import re
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from speechx.audio import decoders, mp3, reading, writing
from speechx.errors import InputError


def tone(seconds: float = 1.0, rate: int = 16000, hertz: float = 440.0, level: float = 0.3) -> np.ndarray:
    return np.asarray(level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate), np.float32)


def noise(seconds: float = 1.0, seed: int = 0) -> np.ndarray:
    return np.asarray(0.1 * np.random.default_rng(seed).standard_normal(round(seconds * 16000)), np.float32)


def similarity(x_T: np.ndarray, y_T: np.ndarray) -> float:
    length = min(len(x_T), len(y_T))
    return float(np.corrcoef(x_T[:length], y_T[:length])[0, 1])


@pytest.mark.parametrize("format", writing.FORMATS[:4])
@pytest.mark.parametrize("source", ["path", "bytes"])
def test_reads_what_it_writes(format: str, source: str, tmp_path: Path) -> None:
    wav_T = tone(1.5)
    path = writing.write(tmp_path / f"x.{format}", wav_T, 16000)
    got = reading.read(path if source == "path" else path.read_bytes())
    assert got.dtype == np.float32 and got.shape == wav_T.shape
    assert similarity(got, wav_T) > 0.99
    assert reading.probe(path).seconds == pytest.approx(1.5, abs=0.01)


@pytest.mark.parametrize("format", ["wav", "flac"])
def test_sixteen_bit_samples_survive_to_the_bit(format: str) -> None:
    once = reading.read(writing.encode(noise(), 16000, format))
    assert np.array_equal(once, reading.read(writing.encode(once, 16000, format)))


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_any_rate_and_channel_count(rate: int, channels: int) -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.repeat(tone(1.0, rate)[:, None], channels, axis=1), rate, format="WAV")
    got = reading.read(buffer.getvalue())
    assert len(got) == 16000
    assert similarity(got, tone()) > 0.99


@settings(max_examples=30, deadline=None)
@given(rate=st.integers(4000, 96000), count=st.integers(1, 20000), channels=st.integers(1, 4))
def test_length_is_that_of_the_seconds(rate: int, count: int, channels: int) -> None:
    got = reading.read((np.zeros((max(count, 5), channels), np.float32), rate))
    assert len(got) == round(max(count, 5) * 16000 / rate)


@settings(max_examples=20, deadline=None)
@given(rate=st.sampled_from([8000, 16000, 24000, 44100]), seed=st.integers(0, 9))
def test_blocks_do_not_show(rate: int, seed: int) -> None:
    """Reading resamples in blocks; the result is that of resampling at once."""
    wav_T = np.asarray(0.1 * np.random.default_rng(seed).standard_normal(3 * decoders.BLOCK + 7), np.float32)
    assert np.allclose(reading.read((wav_T, rate)), reading.resample(wav_T, rate), atol=1e-3)


def test_array_shapes_and_types() -> None:
    wav_T = tone(0.5)
    stereo_TC = np.stack([wav_T, wav_T], axis=1)
    for array in (
        wav_T,
        wav_T.astype(np.float64),
        stereo_TC,
        stereo_TC.T,
        np.int16(wav_T * 32767),
        np.int32(wav_T * 2**31),
    ):
        assert np.allclose(reading.read((array, 16000)), wav_T, atol=1e-3)
    unsigned = np.uint8(np.round(wav_T * 127) + 128)
    assert np.allclose(reading.read((unsigned, 16000)), wav_T, atol=2e-2)


def test_too_loud_floats_are_scaled() -> None:
    assert np.max(np.abs(reading.read((3 * tone(level=1.0), 16000)))) == pytest.approx(1.0)
    with pytest.raises(InputError, match="within"):
        reading.read((30000 * tone(), 16000))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros(0, np.float32), "no samples"),
        (np.full(100, np.nan, np.float32), "NaN"),
        (np.array([0.1, np.inf] * 50, np.float32), "NaN or infinite"),
        (np.zeros((2, 2, 2), np.float32), "1-D or 2-D"),
        (np.zeros(10, np.complex64), "real"),
    ],
)
def test_bad_arrays(array: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        reading.read((array, 16000))


@pytest.mark.parametrize(
    "data", [b"hello there, " * 999, bytes(50000), b"ID3" + bytes(500), b"RIFF", b"OggS" + bytes(99)]
)
def test_what_is_not_audio(data: bytes) -> None:
    with pytest.raises(InputError, match="not audio"):
        reading.read(data)


def test_random_bytes_never_raise_anything_else() -> None:
    rng = np.random.default_rng(0)
    for magic in (b"", b"RIFF", b"fLaC", b"OggS", b"ID3\x04", b"\xff\xfb\x90\x00"):
        for _ in range(10):
            with pytest.raises(InputError):
                reading.read(magic + rng.bytes(3000))


@pytest.mark.parametrize("format", writing.FORMATS[:4])
def test_damage_is_borne_or_refused(format: str) -> None:
    rng = np.random.default_rng(1)
    whole = writing.encode(noise(0.5), 16000, format)
    for _ in range(60):
        data = bytearray(whole)
        for place in rng.integers(0, min(len(data), 300), 3):
            data[place] = rng.integers(0, 256)
        with contextlib.suppress(InputError):
            assert np.isfinite(reading.read(bytes(data))).all()


def test_missing_empty_and_folder(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    for name, words in (("none.wav", "does not exist"), ("empty.wav", "is empty"), (".", "is a folder")):
        with pytest.raises(InputError, match=words) as caught:
            reading.read(tmp_path / name, field="voice")
        assert caught.value.field == "voice" and str(caught.value).startswith("voice: ")
    with pytest.raises(InputError, match="is empty"):
        reading.read(b"")


@pytest.mark.parametrize("format", writing.FORMATS[:4])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated(format: str, share: float) -> None:
    data = writing.encode(noise(4.0), 16000, format)
    with pytest.raises(InputError, match="truncated"):
        reading.read(data[: int(share * len(data))])


def test_limits_come_from_the_header() -> None:
    """Three hours of flac are a few hundred kB: refused before they are decoded."""
    data = writing.encode(np.zeros(3 * 3600 * 800, np.float32), 16000, "flac")
    header = bytearray(data)
    header[21] |= 0x0F  # STREAMINFO's number of samples, now far above what is there
    with pytest.raises(InputError, match=r"the limit is 600 s"):
        reading.read(bytes(header), max_seconds=600)
    with pytest.raises(InputError, match=r"at least 2 s"):
        reading.read((tone(1.0), 16000), min_seconds=2)


def test_limit_holds_where_the_header_says_nothing() -> None:
    encoder = writing.StreamEncoder("flac", 16000)
    data = encoder.push(noise(5.0)) + encoder.close()
    assert reading.probe(data).frames is None
    assert len(reading.read(data)) == 80000
    with pytest.raises(InputError, match="longer than the limit of 3 s"):
        reading.read(data, max_seconds=3)


def test_sloppy_wav_lengths_are_borne() -> None:
    data = bytearray(writing.encode(tone(), 16000, "wav"))
    for length in (0, 0xFFFFFFFF, 32000 + 100):
        data[40:44] = struct.pack("<I", length)
        if length:
            assert len(reading.read(bytes(data))) == 16000


def test_mp3_of_varying_bitrate_without_length() -> None:
    wav_T = np.concatenate([noise(2.0), 0.01 * noise(2.0, 1)])
    buffer = io.BytesIO()
    soundfile.write(buffer, wav_T, 16000, "MPEG_LAYER_III", format="MP3")
    bare = buffer.getvalue()[mp3._frame_size(buffer.getvalue(), 0) :]
    assert soundfile.info(io.BytesIO(bare)).frames < 50000  # what libsndfile alone makes of it
    assert len(reading.read(bare)) == pytest.approx(64000, abs=2000)


def test_m4a(tmp_path: Path) -> None:
    import av

    path = tmp_path / "x.m4a"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone(1.0, 44100)[None], format="fltp", layout="mono")
        frame.rate = 44100
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    got = reading.read(path)
    assert len(got) == pytest.approx(16000, abs=1500)
    assert np.max(np.abs(np.fft.rfft(got))) == np.abs(np.fft.rfft(got))[round(440 * len(got) / 16000)]


def with_a_gap(data: bytes) -> bytes:
    """An Ogg file whose fourth page says a time 10 ms off, as some encoders leave them."""
    pages = [data[m.start() :] for m in re.finditer(b"OggS", data)]
    pages = [page[: 27 + page[26] + sum(page[27 : 27 + page[26]])] for page in pages]
    page = pages[3]
    time = struct.unpack_from("<q", page, 6)[0] + 480
    page = page[:6] + struct.pack("<q", time) + page[14:22] + bytes(4) + page[26:]
    pages[3] = page[:22] + struct.pack("<I", ogg_crc(page)) + page[26:]
    return b"".join(pages)


def ogg_crc(page: bytes) -> int:
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc & 0x80000000 else 0)) & 0xFFFFFFFF
    return crc


def test_ogg_with_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    """libsndfile stops at a gap between pages: FFmpeg goes on, and without it the file is refused."""
    data = with_a_gap(writing.encode(tone(4.0), 16000, "opus"))
    with pytest.raises(soundfile.LibsndfileError):
        soundfile.read(io.BytesIO(data))
    got = reading.read(data)
    assert len(got) == pytest.approx(64000, abs=700)
    assert similarity(got[:30000], tone(4.0)[:30000]) > 0.99
    monkeypatch.setattr("speechx.audio.decoders.open_with_av", lambda _: None)
    with pytest.raises(InputError, match="truncated or damaged"):
        reading.read(data)
    assert 8000 < len(reading.read(data, whole=False)) < 64000


def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = writing.write(tmp_path / "x.wav", tone(), 16000)
    monkeypatch.setattr(os, "access", lambda *_: False)  # the tests may run as root, who may read everything
    with pytest.raises(InputError, match="permission"):
        reading.read(path)

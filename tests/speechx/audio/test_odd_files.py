"""Sound files as people have them: cancelling channels, joined and cut files, junk, lengths never filled in, pipes."""

from __future__ import annotations

import io
import os
import struct
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from speechx.audio import mp3, reading, sources, writing
from speechx.errors import InputError

CONTAINERS = {  # name -> container and subtype of libsndfile
    "wav": ("WAV", "PCM_16"), "wav of floats": ("WAV", "FLOAT"), "rf64": ("RF64", "PCM_16"), "w64": ("W64", "PCM_16"),
    "aiff": ("AIFF", "PCM_16"), "caf": ("CAF", "PCM_16"), "au": ("AU", "PCM_16"), "flac": ("FLAC", "PCM_16"),
    "vorbis": ("OGG", "VORBIS"), "opus": ("OGG", "OPUS"), "mp3": ("MP3", "MPEG_LAYER_III"),
}  # fmt: skip
CHUNKED = ["wav", "wav of floats", "rf64", "w64", "aiff", "caf", "au"]
ID3 = b"ID3\x04\x00\x00\x00\x00\x00\x14" + bytes(20)
ID3_WITH_FOOTER = b"ID3\x04\x00\x10\x00\x00\x00\x14" + bytes(20) + b"3DI\x04\x00\x10\x00\x00\x00\x14"


def tone(seconds: float = 1.0, hertz: float = 440.0, rate: int = 16000) -> np.ndarray:
    return np.asarray(0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate), np.float32)


def file_of(name: str, wav: np.ndarray, rate: int = 16000) -> bytes:
    """(T,) or (T, C) as a file."""
    container, subtype = CONTAINERS[name]
    buffer = io.BytesIO()
    soundfile.write(buffer, wav, rate, subtype, format=container)
    return buffer.getvalue()


def assert_alike(got_T: np.ndarray, wanted_T: np.ndarray) -> None:
    """The same samples but for the loss of a codec."""
    assert len(got_T) == pytest.approx(len(wanted_T), abs=700)
    length = min(len(got_T), len(wanted_T))
    assert np.sqrt(np.mean((got_T[:length] - wanted_T[:length]) ** 2)) < 0.05


# Channels


@pytest.mark.parametrize("name", CONTAINERS)
def test_channels_in_opposite_phase_are_read_as_the_louder_one(name: str) -> None:
    left_T = tone()
    assert_alike(reading.read(file_of(name, np.stack([0.9 * left_T, -left_T], axis=1))), -left_T)


def test_channels_in_opposite_phase_in_an_array() -> None:
    left_T, noise_T = tone(), np.random.default_rng(0).normal(0, 0.01, 16000).astype(np.float32)
    channels = np.stack([left_T, noise_T - 0.9 * left_T, -0.1 * left_T])
    assert np.allclose(reading.read((channels, 16000)), left_T)


def test_channels_that_do_not_cancel_are_averaged() -> None:
    one_T, other_T, silent_T = tone(), tone(hertz=700), np.zeros(16000, np.float32)
    for channels in (
        [one_T, other_T],
        [one_T, silent_T],
        [one_T, silent_T, silent_T, silent_T, silent_T],
        [silent_T] * 2,
    ):
        wanted_T = np.mean(channels, axis=0)
        assert np.allclose(reading.read((np.stack(channels, axis=1), 16000)), wanted_T, atol=1e-6)


# Joined files


@pytest.mark.parametrize("name", CONTAINERS)
def test_joined_files_are_read_to_the_end(name: str) -> None:
    """`cat a b c > joined`, also of other rates and channel counts."""
    first_T, second_T, third_T = tone(1.0), tone(2.0, 700), tone(1.5, 300)
    joined = (
        file_of(name, first_T)
        + file_of(name, tone(2.0, 700, 48000), 48000)
        + file_of(name, np.stack([third_T] * 2, 1))
    )
    assert_alike(reading.read(joined), np.concatenate([first_T, second_T, third_T]))
    assert reading.probe(joined).seconds == pytest.approx(4.5, abs=0.01)
    with pytest.raises(InputError, match=r"4.5 s long, the limit is 4 s"):
        reading.read(joined, max_seconds=4)


@pytest.mark.parametrize("format", ["wav", "flac", "opus", "mp3"])
def test_joined_streams_of_the_server(format: str) -> None:
    """Streams tell no length: the end of one is where the next begins."""

    def stream(wav_T: np.ndarray) -> bytes:
        encoder = writing.StreamEncoder(format, 16000)
        return encoder.push(wav_T) + encoder.close()

    got_T = reading.read(stream(tone(1.0)) + stream(tone(2.0)))
    assert len(got_T) == pytest.approx(
        48000, abs=6000 if format == "mp3" else 0
    )  # an mp3 stream keeps its encoder's delay
    with pytest.raises(InputError, match=r"limit"):
        reading.read(stream(tone(1.0)) + stream(tone(2.0)), max_seconds=1.5)


def test_a_cut_joined_file_is_refused() -> None:
    data = file_of("wav", tone()) * 2
    with pytest.raises(InputError, match="truncated"):
        reading.read(data[:-8000])


def test_mp3_without_a_tag_behind_one_with_a_tag() -> None:
    data = file_of("mp3", tone(2.0))
    bare = data[mp3._frame_size(data, 0) :]
    assert len(reading.read(data + bare)) == pytest.approx(64000, abs=2000)
    assert len(reading.read(bare + data)) == pytest.approx(64000, abs=2000)


# Junk


@pytest.mark.parametrize("name", ["wav", "aiff", "flac", "vorbis", "opus", "mp3"])
@pytest.mark.parametrize(
    "front",
    [ID3, ID3 + ID3, ID3_WITH_FOOTER, bytes(300), b"HTTP/1.1 200 OK\r\n\r\n", ID3 + bytes(5000), b"\xff\xfb\x90\x40" * 99],
    ids=["tag", "two tags", "tag with footer", "zeros", "http", "tag and zeros", "false frames"],
)  # fmt: skip
def test_what_lies_in_front_is_skipped(name: str, front: bytes) -> None:
    assert_alike(reading.read(front + file_of(name, tone(2.0))), tone(2.0))


def mp3_of_varying_bitrate() -> bytes:
    """4 s without a Xing tag; libsndfile alone reads less than 3."""
    noise_T = np.random.default_rng(0).normal(0, 0.1, 64000) * np.repeat([1, 0.1], 32000)
    data = file_of("mp3", noise_T)
    return data[mp3._frame_size(data, 0) :]


@pytest.mark.parametrize("front", [b"", ID3 + ID3, ID3_WITH_FOOTER, bytes(300), ID3 + b"junk" * 99], ids=len)
@pytest.mark.parametrize("back", [b"", b"TAG" + bytes(125), ID3, b"APETAGEX" + bytes(200)], ids=len)
def test_mp3_of_varying_bitrate_with_junk(front: bytes, back: bytes) -> None:
    assert len(reading.read(front + mp3_of_varying_bitrate() + back)) == pytest.approx(64000, abs=2000)


def test_mp3_with_a_damaged_spot_is_read_on_behind_it() -> None:
    data = bytearray(mp3_of_varying_bitrate())
    data[6000:6500] = bytes(500)
    assert len(reading.read(bytes(data))) == pytest.approx(64000, abs=5000)


# Lengths that were never filled in


def set_length(data: bytes, name: str, length: int) -> bytes:
    """The file with another length of its samples: what a writer leaves that cannot seek back."""
    mark, shift, form = {
        "wav": (b"data", 4, "<I"), "wav of floats": (b"data", 4, "<I"), "rf64": (b"ds64", 16, "<q"),
        "w64": (b"data\xf3\xac", 16, "<q"), "aiff": (b"SSND", 4, ">I"), "caf": (b"data", 4, ">q"), "au": (b".snd", 8, ">I"),
    }[name]  # fmt: skip
    at = data.index(mark) + shift
    return data[:at] + struct.pack(form, length) + data[at + struct.calcsize(form) :]


@pytest.mark.parametrize(
    "length",
    [0, 0x7FFF_F000, 0x7FFF_FFFF, 0x7FFF_FFDB, 0x8000_0000, 0xFFFF_F000, 0xFFFF_FFFF, 0xFFFF_FFDB],
    ids=hex,
)
@pytest.mark.parametrize("name", ["wav", "wav of floats", "aiff", "au"])
def test_placeholder_lengths(name: str, length: int) -> None:
    data = set_length(file_of(name, tone(2.0)), name, length)
    assert np.allclose(reading.read(data), tone(2.0), atol=1e-3)
    both = data[:4] + struct.pack(">I" if name == "aiff" else "<I", min(length + 36, 0xFFFF_FFFF)) + data[8:]
    if name != "au":  # which has one length only
        assert np.allclose(reading.read(both), tone(2.0), atol=1e-3)


@pytest.mark.parametrize("length", [0, -1, 1 << 62])
@pytest.mark.parametrize("name", ["rf64", "w64", "caf"])
def test_placeholder_lengths_of_64_bits(name: str, length: int) -> None:
    assert np.allclose(reading.read(set_length(file_of(name, tone(2.0)), name, length)), tone(2.0), atol=1e-3)


def test_joined_files_with_placeholder_lengths() -> None:
    data = set_length(file_of("wav", tone()), "wav", 0xFFFF_FFFF)
    assert np.allclose(reading.read(data * 3), np.tile(tone(), 3), atol=1e-3)


def test_a_file_without_samples_stays_one() -> None:
    empty = file_of("wav", tone(0.0))
    for data in (empty, empty + b"LIST" + struct.pack("<I", 4) + b"INFO"):
        with pytest.raises(InputError, match="no samples"):
            reading.read(data)


def test_samples_may_begin_like_a_chunk() -> None:
    data = set_length(file_of("wav", tone(2.0)), "wav", 0)
    data = data[:44] + b"21P4" + struct.pack("<I", 1000) + data[52:]
    assert len(reading.read(data)) == 32000


@pytest.mark.parametrize("padding", [b"", b"\0"], ids=["unpadded", "padded"])
def test_a_chunk_of_odd_length_before_the_samples(padding: bytes) -> None:
    data = file_of("wav", tone(2.0))
    odd = b"LIST" + struct.pack("<I", 7) + b"INFOabc" + padding
    for at in (12, 36):  # before the format, and before the samples
        assert np.allclose(reading.read(data[:at] + odd + data[at:]), tone(2.0), atol=1e-3)


# Cut files


@pytest.mark.parametrize("name", CHUNKED)
def test_cut_files_are_refused(name: str) -> None:
    data = file_of(name, tone(2.0))
    with pytest.raises(InputError, match="truncated"):
        reading.read(data[: len(data) // 2])


@pytest.mark.parametrize("header", [8_000, 400_000])
def test_cut_wav_behind_a_long_header(header: int, tmp_path: Path) -> None:
    data = file_of("wav", tone(2.0))
    data = data[:12] + b"bext" + struct.pack("<I", header) + bytes(header) + data[12:]
    assert np.allclose(reading.read(data), tone(2.0), atol=1e-3)
    path = tmp_path / "cut.wav"
    path.write_bytes(data[:-32000])
    with pytest.raises(InputError, match="at least 32000 bytes are missing"):
        reading.read(path)


# Pipes


def fed(path: Path, data: bytes) -> threading.Thread:
    thread = threading.Thread(target=path.write_bytes, args=(data,), daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("name", ["wav", "flac", "opus", "mp3"])
def test_a_named_pipe(name: str, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = fed(pipe, file_of(name, tone(2.0)))
    assert_alike(reading.read(pipe), tone(2.0))
    writer.join()


def test_a_file_descriptor() -> None:
    """What a shell makes of <(cat in.wav)."""
    end, other = os.pipe()
    writer = threading.Thread(target=lambda: (os.write(other, file_of("wav", tone())), os.close(other)))
    writer.start()
    assert len(reading.read(f"/dev/fd/{end}")) == 16000
    writer.join()
    os.close(end)


def standard_input(monkeypatch: pytest.MonkeyPatch, data: bytes, *, terminal: bool = False) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(data))
    monkeypatch.setattr(stdin, "isatty", lambda: terminal, raising=False)
    monkeypatch.setattr(sys, "stdin", stdin)


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    standard_input(monkeypatch, file_of("wav", tone()))
    assert len(reading.read("-")) == 16000


@pytest.mark.parametrize(
    ("data", "terminal", "words"),
    [
        (b"", False, "voice: standard input is empty"),
        (b"", True, "voice: standard input is a terminal"),
        (bytes(2000), False, "voice: standard input holds more than 1,000 bytes"),
    ],
)
def test_what_cannot_be_read_from_a_pipe(
    data: bytes, terminal: bool, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MAX_PIPE_BYTES", 1000)
    standard_input(monkeypatch, data, terminal=terminal)
    with pytest.raises(InputError, match=words):
        reading.read("-", field="voice")


# Formats of the extra


@pytest.mark.parametrize(
    ("container", "codec"), [("mp4", "aac"), ("webm", "libopus"), ("adts", "aac"), ("mpegts", "aac")]
)
def test_formats_of_the_extra(container: str, codec: str) -> None:
    """Once and joined: m4a, the webm of a browser's recorder without a length, raw aac, and a transport stream."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format=container, options={"live": "1"} if container == "webm" else {}) as out:
        stream = out.add_stream(codec, rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(tone(2.0, rate=48000)[None], format="fltp", layout="mono")
        frame.rate = 48000
        cut = av.AudioResampler(
            format=stream.format.name, layout="mono", rate=48000, frame_size=stream.frame_size
        )
        for piece in [*cut.resample(frame), *cut.resample(None)]:
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    assert len(reading.read(file.getvalue())) == pytest.approx(32000, abs=1000)
    assert len(reading.read(file.getvalue() * 2)) == pytest.approx(64000, abs=2000)
    if container == "mp4":
        with pytest.raises(InputError, match="truncated"):
            reading.read(file.getvalue()[:10000])


def test_text_is_named_as_such() -> None:
    for text in ("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a", '{"error": "not found"}' * 9):
        with pytest.raises(InputError, match=r"is text, not audio: it begins with '(version https|{\"error)"):
            reading.read(text.encode())


@pytest.mark.parametrize(
    ("head", "kind"),
    [(b"\0\0\0\x20ftypM4A ", "m4a"), (b"\x1aE\xdf\xa3", "webm"), (b"\xff\xf1\x50\x80", "aac")],
)  # fmt: skip
def test_a_file_for_the_extra_names_what_to_install(
    head: bytes, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = head + bytes(5000)
    with pytest.raises(InputError, match="without audio that can be decoded"):
        reading.read(data)
    find: Callable[[str], object] = lambda name: None  # noqa: E731
    monkeypatch.setattr("importlib.util.find_spec", find)
    monkeypatch.setattr("speechx.audio.decoders.open_with_av", lambda part: None)
    with pytest.raises(
        InputError, match=rf"{kind}.*: install PyAV to read it \(pip install 'speechx\[m4a\]'\)"
    ):
        reading.read(data)

"""The recordings that come with SpeechX are what their tables say."""

from __future__ import annotations

import json

import pytest

from speechx.audio import levels, reading
from tests.house.test_layout import ROOT

ASSETS = ROOT / "speechx" / "assets"
TABLE = json.loads((ASSETS / "samples" / "samples.json").read_text("utf-8"))


@pytest.mark.parametrize("name", TABLE)
def test_sample(name: str) -> None:
    row = TABLE[name]
    wav_T = reading.read(ASSETS / "samples" / f"{name}.flac")
    assert 3 < len(wav_T) / 16000 < 8
    assert not levels.is_silent(wav_T) and not levels.is_clipped(wav_T)
    assert row["text"] and row["language"] == "en" and "Apache-2.0" in row["license"]
    for key in ("reference", "enrollment"):
        if key in row:
            assert (ASSETS / "samples" / f"{row[key]}.flac").exists()


def test_noise_and_mixture_differ_from_their_references() -> None:
    for name in ("noisy", "mixture"):
        mix_T, clean_T = (
            reading.read(ASSETS / "samples" / f"{n}.flac") for n in (name, TABLE[name]["reference"])
        )
        assert len(mix_T) == len(clean_T)


def test_sounds_are_small() -> None:
    assert sum(path.stat().st_size for path in ASSETS.rglob("*.flac")) < 2_000_000

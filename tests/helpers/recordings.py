"""Folders of recordings with texts, as a user has them, of a generated voice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from speechx.data.synthetic import WORDS, SyntheticVoice
from speechx.text import TextFrontend


def write_recordings(
    folder: Path, language: str = "en", words: str = WORDS["en"], count: int = 24, suffix: str = ".wav"
) -> Path:
    """COUNT sentences of nine words, half a minute and more, each NAME.wav and NAME.txt."""
    folder.mkdir(parents=True)
    rng, frontend = np.random.default_rng(5), TextFrontend()
    voice, rest_T = SyntheticVoice.number(3), np.zeros(8000, np.float32)
    for number in range(1, count + 1):
        text = " ".join(rng.choice(words.split(), 9)).capitalize() + "."
        wav_T, _ = voice.say(frontend(text, language), rng)
        soundfile.write(folder / f"{number:02d}{suffix}", np.concatenate([rest_T, wav_T, rest_T]), 16000)
        (folder / f"{number:02d}.txt").write_text(text, "utf-8")
    return folder

"""Generated voices: training data for smoke runs and tests without recordings.

Every phone has its own sound: formants if voiced, else a band of noise. Every speaker has a pitch and a vocal tract length.
So codec, aligner and language model can learn from it, though it is not intelligible.
Legend: T samples at 16 kHz, F codec frames, E teacher dimensions.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechx.data.packs import FRAME, TEACHER_DIM
from speechx.text import PhoneSequence, TextFrontend

__all__ = ["SyntheticVoice", "synthetic_pack"]

RATE = 16000
WORDS = {
    "en": "the a one seven blue green morning water paper little music under never people river silver garden open window "
    "yellow simple story over again number mother father hand light night road song tree voice winter summer",
    "es": "la casa verde agua siempre camino noche mesa libro cielo rojo amigo madre tiempo puerta grande luna perro campo "
    "poco vida mano fuego tierra",
}
PAUSES = frozenset("_,.?!")
VOICELESS = frozenset(("p", "t", "k", "f", "θ", "s", "ʃ", "h", "tʃ", "ts", "x", "ç", "pf", "ʔ"))


@dataclass(frozen=True)
class SyntheticVoice:
    """pitch: Hz. tract: factor on all formants."""

    pitch: float
    tract: float

    @classmethod
    def number(cls, index: int) -> SyntheticVoice:
        rng = np.random.default_rng((41, index))
        return cls(float(rng.uniform(90, 240)), float(rng.uniform(0.85, 1.2)))

    def say(self, speech: PhoneSequence, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """(wav (T,) float32, index of the phone of each codec frame (F,) int32), F = T / 640."""
        frames = [_frames(phone, rng) for phone in speech.phones]
        pointer_F = np.repeat(np.arange(len(frames)), frames).astype(np.int32)
        sounds, phase = [], 0.0
        for phone, index, count in zip(speech.phones, speech.ids.tolist(), frames, strict=True):
            sound_T, phase = self._sound(phone, index, count * FRAME, phase, rng)
            sounds.append(sound_T)
        # 5 ms of smoothing in level only: the borders stay where they are.
        wav_T = np.concatenate(sounds) if sounds else np.zeros(0)
        return (0.1 * wav_T).astype(np.float32), pointer_F

    def _sound(
        self, phone: str, index: int, samples: int, phase: float, rng: np.random.Generator
    ) -> tuple[np.ndarray, float]:
        edge_T = np.minimum(1.0, np.minimum(np.arange(samples), np.arange(samples)[::-1]) / 80)
        if phone in PAUSES:
            return 1e-3 * rng.standard_normal(samples), phase
        first, second, third = (f * self.tract for f in _formants(index))
        if phone in VOICELESS:
            spectrum = np.fft.rfft(rng.standard_normal(samples))
            hertz = np.fft.rfftfreq(samples, 1 / RATE)
            band = np.exp(-(((hertz - 1.6 * second) / 900) ** 2))
            sound_T = np.fft.irfft(spectrum * band, samples)
            return edge_T * sound_T / (np.sqrt(np.mean(sound_T**2)) + 1e-9), phase
        pitch_T = self.pitch * (1 + 0.03 * np.sin(np.arange(samples) / RATE * 2 * np.pi * 3))
        angle_T = phase + np.cumsum(2 * np.pi * pitch_T / RATE)
        harmonics = np.arange(1, int(5000 / self.pitch))
        hertz = harmonics * self.pitch
        gain = np.zeros(len(harmonics))
        for formant, level in ((first, 1.0), (second, 0.6), (third, 0.3)):
            gain += level / (1 + ((hertz - formant) / 120) ** 2)
        sound_T = (gain[:, None] * np.sin(harmonics[:, None] * angle_T)).sum(0)
        return edge_T * sound_T / (np.sqrt(np.mean(sound_T**2)) + 1e-9), float(angle_T[-1])


@functools.cache
def _formants(index: int) -> tuple[float, float, float]:
    rng = np.random.default_rng((43, index))
    return float(rng.uniform(250, 850)), float(rng.uniform(900, 2400)), float(rng.uniform(2500, 3500))


def _f0(speech: PhoneSequence, pointer_F: np.ndarray, voice: SyntheticVoice) -> np.ndarray:
    """(4 F,) float16: what the trainer reads of a pack. The 3 % by which the pitch moves are left out."""
    voiced = np.array([phone not in PAUSES and phone not in VOICELESS for phone in speech.phones])
    return np.repeat(np.where(voiced[pointer_F], voice.pitch, 0), 4).astype(np.float16)


def _frames(phone: str, rng: np.random.Generator) -> int:
    return int(rng.integers(3, 8)) if phone in PAUSES else int(rng.integers(2, 5))


def _teacher(speech: PhoneSequence, pointer_F: np.ndarray) -> np.ndarray:
    """(F, E): a random direction for each phone, in the place of a speech model's features."""
    table = np.random.default_rng(47).standard_normal((512, TEACHER_DIM))
    return table[speech.ids[pointer_F]].astype(np.float16)


def _noise(kind: int, samples: int, rng: np.random.Generator) -> np.ndarray:
    white_T = rng.standard_normal(samples)
    if kind == 0:
        return 0.05 * white_T
    if kind == 1:  # rumble
        return 0.02 * np.convolve(white_T, np.ones(40) / 4, "same")
    time_T = np.arange(samples) / RATE
    if kind == 2:  # hum
        return 0.05 * np.sign(np.sin(2 * np.pi * rng.uniform(50, 200) * time_T))
    beats_T = np.sin(2 * np.pi * rng.uniform(1, 5) * time_T) > 0.9
    return 0.1 * white_T * beats_T


def synthetic_pack(
    out: str | Path, utterances: int = 160, speakers: int = 8, noises: int = 16, seed: int = 1, words: int = 7
) -> Path:
    """An audio pack (speechx.data.packs) with transcripts, noise and stand-ins for teacher features.

    The last speaker is the dev split. OUT/truth.jsonl has the phone of each codec frame.
    """
    out, frontend = Path(out), TextFrontend()
    out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    samples, teachers, tones, index, teacher_index, tone_index, truth = [], [], [], [], [], [], []
    offset = frame = 0
    for number in range(utterances + noises):
        name = f"u{number:04d}"
        row = {"id": name, "corpus": "synthetic", "split": "train", "offset": offset}
        if number < utterances:
            who = number % speakers
            # Every voice speaks a second language now and then: cross-lingual examples need it.
            language = "es" if number // speakers % 3 == 2 else "en"
            vocabulary = WORDS[language].split()
            text = " ".join(rng.choice(vocabulary, int(rng.integers(max(1, words - 3), words + 1))))
            speech = frontend(text, language)
            voice = SyntheticVoice.number(who)
            wav_T, pointer_F = voice.say(speech, rng)
            row |= {"speaker": f"s{who}", "language": language, "text": text}
            row["split"] = "dev" if who == speakers - 1 else "train"
            teachers.append(_teacher(speech, pointer_F))
            teacher_index.append(
                {"id": name, "corpus": "synthetic", "offset": frame, "frames": len(pointer_F)}
            )
            tones.append(_f0(speech, pointer_F, voice))
            tone_index.append({**teacher_index[-1], "offset": 4 * frame, "frames": 4 * len(pointer_F)})
            truth.append({"id": name, "pointer": pointer_F.tolist()})
            frame += len(pointer_F)
        else:
            wav_T = _noise(number % 4, int(rng.uniform(2, 5) * RATE), rng)
            row |= {"kind": "noise", "split": "dev" if number % 8 == 0 else "train"}
        samples.append(np.clip(np.round(wav_T * 32768), -32768, 32767).astype(np.int16))
        index.append(row | {"samples": len(samples[-1])})
        offset += len(samples[-1])
    np.concatenate(samples).tofile(out / "pcm.i16")
    np.concatenate(teachers).tofile(out / "teacher.f16")
    np.concatenate(tones).tofile(out / "pitch.f16")
    tables = {"index": index, "teacher": teacher_index, "pitch": tone_index, "truth": truth}
    for name, rows in tables.items():
        lines = (json.dumps(item, ensure_ascii=False) + "\n" for item in rows)
        (out / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    return out

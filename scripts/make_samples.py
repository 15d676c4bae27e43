"""Make the built-in voices and the sample recordings in speechx/assets: speech by Kokoro-82M, noise by formulas here.

    build/kokoro/bin/python scripts/make_samples.py --voices build/kokoro/package/voices --work build/kokoro

(See scripts/kokoro.py for that environment.) The same packages give the same files.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import soundfile
import soxr

ROOT = Path(__file__).resolve().parent.parent
RATE = 16000
LICENSE = "Apache-2.0 (made with Kokoro-82M)"

VOICES = [  # id, Kokoro's voice, name, text
    ("heart", "af_heart", "Heart, female, American English",
     "The morning train leaves at half past seven, and the last one comes back shortly before midnight."),
    ("michael", "am_michael", "Michael, male, American English",
     "If you walk along the river for a mile, you will find a small bridge and an old stone house."),
    ("dora", "ef_dora", "Dora, female, Spanish",
     "Mañana por la mañana vamos al mercado para comprar fruta fresca, pan y un poco de queso."),
    ("siwis", "ff_siwis", "Siwis, female, French",
     "Le petit café au coin de la rue ouvre tous les jours à huit heures, même en hiver."),
    ("nicola", "im_nicola", "Nicola, male, Italian",
     "Domani mattina andiamo al mercato a comprare la frutta, il pane e un po' di formaggio."),
    ("alex", "pm_alex", "Alex, male, Brazilian Portuguese",
     "Amanhã de manhã vamos ao mercado para comprar frutas frescas, pão e um pouco de queijo."),
]  # fmt: skip

NOISY = ("am_michael", "I left the keys on the kitchen table, right next to the blue notebook.")
TARGET = ("af_bella", "Please remember to water the plants on the balcony while I am away this week.")
ENROLLMENT = ("af_bella", "The library closes early on Sundays, so we had better leave before lunch.")
OTHER = ("bm_george", "Our neighbours have bought a boat and they want to sail around the island.")
EDIT = ("af_heart", "We will meet on Monday afternoon at the old library near the river.")
EDITED = "We will meet on Thursday evening at the old library near the river."


def numpy_module(name: str) -> ModuleType:
    """A module of speechx that needs numpy alone, without installing the rest."""
    sys.path.insert(0, str(ROOT))
    return importlib.import_module(f"speechx.{name}")


def normalize_level(wav_T: np.ndarray, db: float = -23.0) -> np.ndarray:
    return numpy_module("audio.levels").normalize_rms(wav_T, db)


def fan(seconds: float, rng: np.random.Generator) -> np.ndarray:
    """A fan: pink noise that swells with the blades, and the motor's hum."""
    count = round(seconds * RATE)
    spectrum = np.fft.rfft(rng.standard_normal(count))
    hertz = np.maximum(np.fft.rfftfreq(count, 1 / RATE), 40)
    air = np.fft.irfft(spectrum / np.sqrt(hertz), count)
    t = np.arange(count) / RATE
    hum = sum(np.sin(2 * np.pi * 100 * k * t + k) / k for k in (1, 2, 3, 5))
    return np.asarray((1 + 0.2 * np.sin(2 * np.pi * 7.3 * t)) * air / air.std() + 0.25 * hum, np.float32)


def rain(seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Rain on a window: a soft hiss, and drops that ring for some milliseconds."""
    count = round(seconds * RATE)
    hiss = np.diff(rng.standard_normal(count + 1))
    drops = np.zeros(count)
    for start in rng.integers(0, count - 800, round(60 * seconds)):
        t = np.arange(800) / RATE
        hertz, length = rng.uniform(900, 4500), rng.uniform(0.003, 0.012)
        drops[start : start + 800] += rng.exponential() * np.sin(2 * np.pi * hertz * t) * np.exp(-t / length)
    return np.asarray(0.5 * hiss / hiss.std() + drops / drops.std(), np.float32)


def mix_at_snr(wav_T: np.ndarray, noise_T: np.ndarray, snr_db: float) -> tuple[np.ndarray, float]:
    """Speech with noise at an SNR (of active speech), below full scale; and the gain of the speech in it."""
    rms_db = numpy_module("audio.levels").rms_db
    gain = 10 ** ((rms_db(wav_T, active=True) - rms_db(noise_T) - snr_db) / 20)
    sum_T = wav_T + np.float32(gain) * noise_T[: len(wav_T)]
    mixed_T = numpy_module("audio.levels").normalize_peak(sum_T, -3.0)
    return mixed_T, float(np.abs(mixed_T).max() / np.abs(sum_T).max())


def pad(wav_T: np.ndarray, before: float, after: float) -> np.ndarray:
    return np.pad(wav_T, (round(before * RATE), round(after * RATE)))


def make_assets(synthesize: Callable[[str, str], np.ndarray], out: Path) -> None:
    """synthesize(text, voice) -> (T,) at 16 kHz."""
    rng = np.random.default_rng(20)
    for folder in ("voices", "samples"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    rows = []
    for voice_id, voice, name, text in VOICES:
        wav_T = pad(synthesize(text, voice), 0.1, 0.1)
        save(out / "voices" / f"{voice_id}.flac", wav_T)
        language = {"a": "en", "e": "es", "f": "fr", "i": "it", "p": "pt"}[voice[0]]
        rows.append({"id": voice_id, "name": name, "language": language, "license": LICENSE,
                     "seconds": round(len(wav_T) / RATE, 3)})  # fmt: skip
    write_json(out / "voices" / "voices.json", rows)

    clean = pad(synthesize(NOISY[1], NOISY[0]), 0.5, 0.5)
    target, other = synthesize(TARGET[1], TARGET[0]), synthesize(OTHER[1], OTHER[0])
    length = max(len(target), len(other)) + RATE // 2
    target, other = (np.pad(x, (RATE // 4, length - len(x) - RATE // 4)) for x in (target, other))
    edit = pad(synthesize(EDIT[1], EDIT[0]), 0.3, 0.3)
    noisy, noisy_gain = mix_at_snr(clean, rain(len(clean) / RATE, rng), 5.0)
    mixture, mixture_gain = mix_at_snr(target, other, 0.0)
    sounds = {
        "noisy": noisy,
        "noisy_clean": clean,
        "mixture": mixture,
        "mixture_target": target,
        "enrollment": pad(synthesize(ENROLLMENT[1], ENROLLMENT[0]), 0.1, 0.1),
        "edit": edit,
        "edit_noisy": mix_at_snr(edit, fan(len(edit) / RATE, rng), 12.0)[0],
    }
    for name, wav_T in sounds.items():
        save(out / "samples" / f"{name}.flac", wav_T)
    table = {
        "noisy": {"text": NOISY[1], "what": "speech with synthetic rain at 5 dB", "reference": "noisy_clean",
                  "reference_gain": round(noisy_gain, 5)},
        "mixture": {"text": TARGET[1], "other_text": OTHER[1], "what": "two speakers at 0 dB",
                    "enrollment": "enrollment", "reference": "mixture_target",
                    "reference_gain": round(mixture_gain, 5)},
        "enrollment": {"text": ENROLLMENT[1], "what": "the mixture's first speaker, another sentence"},
        "edit": {"text": EDIT[1], "edited": EDITED, "what": "a recording to edit"},
        "edit_noisy": {"text": EDIT[1], "edited": EDITED, "what": "the same with a synthetic fan at 12 dB"},
    }  # fmt: skip
    write_json(
        out / "samples" / "samples.json",
        {k: {**v, "language": "en", "license": LICENSE} for k, v in table.items()},
    )


def save(path: Path, wav_T: np.ndarray) -> None:
    soundfile.write(path, wav_T, RATE, "PCM_16", format="FLAC", compression_level=1.0)
    print(f"{path.relative_to(ROOT)}  {len(wav_T) / RATE:.2f} s  {path.stat().st_size // 1000} kB")


def write_json(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voices", type=Path, required=True, help="kokoro-js's folder of *.bin files")
    parser.add_argument("--work", type=Path, required=True, help="where the model is put together")
    arguments = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent))
    kokoro = importlib.import_module("kokoro").Kokoro(arguments.voices, arguments.work)

    def synthesize(text: str, voice: str) -> np.ndarray:
        return normalize_level(soxr.resample(kokoro.say(text, voice), 24000, RATE))

    make_assets(synthesize, ROOT / "speechx" / "assets")


if __name__ == "__main__":
    main()

"""Makes synthetic speech with the exact time of every phone, for the aligner: FLAC files and metadata-K.jsonl.

    build/kokoro/bin/python scripts/make_speech.py --voices build/kokoro/package/voices --model build/kokoro \
        --out OUT --texts CORPUS [--texts CORPUS ...] --minutes 50 --worker 0/2

(See scripts/kokoro.py for that environment; onnx is needed too.) Each row has `phones`: [symbol, start, end] in seconds,
with espeak's symbols, " " between words and "_" at both ends. The times are Kokoro's own durations (an output of a node of
its graph, 25 ms each), moved by DELAY.

Clip i depends on i alone: a stopped worker continues where it was, and worker k/n makes every n-th clip. Join the files of
all workers to OUT/metadata.jsonl. The voices are blends of stock voices, each with a Romance one. `--allowed FILE` is a JSON
list of the speakers to use; leave out those that resemble a held-out speaker.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
import soundfile
import soxr
from kokoro import LANGUAGES, RATE, Kokoro
from speech_texts import make_text

DURATION_SAMPLES = 600
"""Of one duration step, at Kokoro's rate."""

DURATIONS = "/encoder/Clip_output_0"
SHARES = {"es": 0.27, "it": 0.27, "pt": 0.27, "en": 0.12, "fr": 0.07}
LETTER = {"es": "e", "it": "i", "pt": "p", "en": "a", "fr": "f"}
SPEAKERS = 160
HELD_OUT_PERCENT = 5
ROMANCE = "ef_dora em_alex em_santa if_sara im_nicola pf_dora pm_alex pm_santa ff_siwis".split()

DELAY = 0.05
"""Seconds that the sound is ahead of the durations, the same everywhere. Measured by vowels against energy and by fricatives
in spectrograms."""

MARGIN = 0.1
"""Seconds of silence kept at both ends."""


@dataclass(frozen=True)
class TimedSpeech:
    """wav_T: float32 at 16 kHz. phones: symbol, start and end in seconds."""

    wav_T: np.ndarray
    phones: list[tuple[str, float, float]]


class ClipRow(TypedDict):
    """A row of metadata-K.jsonl."""

    id: str
    audio: str
    duration: float
    speaker: str
    language: str
    text: str
    split: str
    synthetic: bool
    phones: list[tuple[str, float, float]]


class TimedKokoro(Kokoro):
    """Kokoro with its durations as a second output."""

    def __init__(self, voices: Path, model_dir: Path) -> None:
        super().__init__(voices, model_dir)
        import onnx
        import onnxruntime

        timed = model_dir / "timed.onnx"
        if not timed.exists():
            graph = onnx.load(str(model_dir / "kokoro-v1.0.int8.onnx"))
            graph.graph.output.append(onnx.helper.make_empty_tensor_value_info(DURATIONS))
            onnx.save(graph, str(timed))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(str(timed), options, providers=["CPUExecutionProvider"])

    def synthesize(self, text: str, language: str, style_LS: np.ndarray, speed: float) -> TimedSpeech:
        """style_LS: (lengths, 256). Raises ValueError for a text that is too long or has no phones."""
        symbols = [p for p in self.phones(text, LETTER[language] + "x") if p in self.vocab]
        if not 2 <= len(symbols) <= 400:
            raise ValueError(f"{len(symbols)} symbols")
        inputs = {
            "tokens": np.array([[0, *(self.vocab[p] for p in symbols), 0]], np.int64),
            "style": style_LS[len(symbols) - 1][None].astype(np.float32),
            "speed": np.array([speed], np.float32),
        }
        wav, durations = self.session.run(["audio", DURATIONS], inputs)
        wav_T, duration_N = np.asarray(wav, np.float32).ravel(), np.asarray(durations).ravel().astype(int)
        if duration_N.sum() * DURATION_SAMPLES != len(wav_T):
            raise ValueError("durations do not sum to the length")
        edge_N = np.concatenate([[0], np.cumsum(duration_N)]) * DURATION_SAMPLES
        loud = np.flatnonzero(np.abs(wav_T) > 0.01)
        first = max(0, int(loud[0]) - round(MARGIN * RATE))
        last = min(len(wav_T), int(loud[-1]) + round(MARGIN * RATE))
        time_N = (np.clip(edge_N - round(DELAY * RATE), first, last) - first) / RATE
        time_N[-1] = (last - first) / RATE
        phones = [
            (symbol, round(float(a), 4), round(float(b), 4))
            for symbol, a, b in zip(["_", *symbols, "_"], time_N[:-1], time_N[1:], strict=True)
        ]
        return TimedSpeech(soxr.resample(wav_T[first:last], RATE, 16000), phones)


def blend(number: int, voices: Path) -> np.ndarray:
    """(lengths, 256): the style of speaker `number`, two or three stock voices in random shares."""
    rng = random.Random(f"voice {number}")
    other = sorted(p.stem for p in voices.glob("*.bin") if p.stem[0] in LANGUAGES and p.stem not in ROMANCE)
    first = ROMANCE[number % len(ROMANCE)]
    same = [v for v in other if v[1] == first[1]]
    names = [first, *rng.sample(same if rng.random() < 0.75 else other, rng.choice((1, 1, 2)))]
    shares = [rng.uniform(0.35, 0.75), *(rng.uniform(0.15, 0.7) for _ in names[1:])]
    styles = [np.fromfile(voices / f"{n}.bin", np.float32).reshape(-1, 256) for n in names]
    parts = [style * share / sum(shares) for style, share in zip(styles, shares, strict=True)]
    return sum(parts[1:], start=parts[0])


def split_of(speaker: str) -> str:
    """train, or dev for a twentieth of the speakers."""
    percent = int.from_bytes(hashlib.sha256(speaker.encode()).digest()[:4], "big") % 100
    return "dev" if percent < HELD_OUT_PERCENT else "train"


def read_sentences(folders: list[Path]) -> dict[str, list[str]]:
    """Texts of the training split by language, without Whisper's; 8 to 160 characters, no digits."""
    found: dict[str, set[str]] = {language: set() for language in SHARES}
    for folder in folders:
        for line in (folder / "metadata.jsonl").read_text().splitlines():
            row = json.loads(line)
            text, written = row.get("text") or "", row.get("text_source", "corpus") == "corpus"
            usable = 8 <= len(text) <= 160 and not any(c.isdigit() for c in text) and not text.isupper()
            if row["split"] == "train" and written and usable and row.get("language") in found:
                found[row["language"]].add(text)
    return {language: sorted(texts) for language, texts in found.items()}


def make_clip(
    number: int, kokoro: TimedKokoro, texts: dict[str, list[str]], allowed: list[str], out: Path
) -> ClipRow | None:
    """Writes the audio of clip `number` and returns its row; None if the text cannot be spoken."""
    rng = random.Random(f"clip {number}")
    language = rng.choices(list(SHARES), list(SHARES.values()))[0]
    speaker = allowed[rng.randrange(len(allowed))]
    text = make_text(language, rng, texts[language])
    style_LS = blend(int(speaker[1:]), kokoro.folder)
    try:
        speech = kokoro.synthesize(text, language, style_LS, rng.uniform(0.8, 1.25))
    except (ValueError, IndexError):
        return None
    name = f"{speaker}_{number:06d}"
    peak = float(np.abs(speech.wav_T).max())
    soundfile.write(out / "audio" / f"{name}.flac", speech.wav_T / max(1.0, peak / 0.95), 16000)
    return ClipRow(
        id=name, audio=f"audio/{name}.flac", duration=round(len(speech.wav_T) / 16000, 3), speaker=speaker,
        language=language, text=text, split=split_of(speaker), synthetic=True,
        phones=speech.phones,
    )  # fmt: skip


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--voices", type=Path, required=True, help="folder of kokoro-js's *.bin files")
    add("--model", type=Path, required=True, help="folder for the model")
    add("--out", type=Path, required=True)
    add("--texts", type=Path, action="append", default=[], help="corpus folder with metadata.jsonl")
    add("--allowed", type=Path, help="JSON list of speakers")
    add("--minutes", type=float, default=1e9)
    add("--worker", default="0/1", help="k/n: every n-th clip, from k")
    return parser.parse_args()


def main() -> None:
    given = parse_arguments()
    worker, workers = map(int, given.worker.split("/"))
    (given.out / "audio").mkdir(parents=True, exist_ok=True)
    kokoro, texts = TimedKokoro(given.voices, given.model), read_sentences(given.texts)
    allowed = [f"q{i:03d}" for i in range(SPEAKERS)]
    if given.allowed:
        allowed = json.loads(given.allowed.read_text())
    path = given.out / f"metadata-{worker}.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    number = max((int(json.loads(line)["id"].split("_")[1]) + workers for line in lines), default=worker)
    stop, seconds = time.monotonic() + 60 * given.minutes, 0.0
    with path.open("a") as file:
        while time.monotonic() < stop:
            row = make_clip(number, kokoro, texts, allowed, given.out)
            number += workers
            if row is not None:
                seconds += row["duration"]
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
                file.flush()
            if number % 100 == worker:
                print(f"clip {number}: {seconds / 3600:.3f} h", flush=True)


if __name__ == "__main__":
    main()

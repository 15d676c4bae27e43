"""Pairs of a better and a worse output of one request, for `speechx train preference`: a recognizer says which is which.

    python scripts/make_tries.py PACK... --count en=400 --count es=300 --out TRIES
    python scripts/make_preferences.py hear TRIES/manifest.jsonl --out TRIES --minutes 60
    python scripts/make_preferences.py choose --out TRIES

`hear` says each request several times with the language model, and lets Whisper base listen. Each output is a line of
OUT/heard.jsonl: its training pair (int16, base64), what was heard, and its likeness to the voice. It goes on where it
stopped. `choose` writes OUT/better and OUT/worse, pair i of one folder for the request of pair i of the other.
"""

from __future__ import annotations

import argparse
import base64
import itertools
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from speechx.data.shards import ShardWriter, decode_pair, encode_pair
from speechx.engine.engine import Engine
from speechx.eval.judges.ge2e import GE2E
from speechx.eval.judges.whisper import Whisper
from speechx.eval.metrics.words import cer, wer_counts
from speechx.models.lm.folder import load_model
from speechx.models.lm.prompt import Prompt, pack
from speechx.pipeline.loading import load_front, model_folder
from speechx.task import registry
from speechx.task.examples import TrainingPair
from speechx.task.frontend import Frontend
from speechx.text import PHONE_TABLE_VERSION

AT_ONCE = 10  # requests
SLOTS = 16

MOST_WRONG = 0.34
"""Share of wrong words of a better output at most."""

LEAST_GAIN = 0.15
"""Fewer wrong words than in the worse output, at least, as a share."""

MOST_PAIRS = 3
"""Of one request."""

LEAST_LIKE = -0.03
"""How much less than the worse output the better one may resemble the voice (GE2E cosine)."""


class ShortWhisper(Whisper):
    """Whisper that hears windows as long as the longest sound of a batch, in place of 30 s: several times as fast."""

    def _mel(self, wavs: list[np.ndarray]) -> np.ndarray:
        samples = max(8 * 16000, max(map(len, wavs)) + 8000)
        padded = (np.pad(wav_T, (0, samples - len(wav_T))) for wav_T in wavs)
        frames = samples // 160
        return np.stack([self._features(wav_T, padding=0)[:, :frames] for wav_T in padded]).astype(np.float32)


class Speaker:
    """Says prompts several times. Shapes: F frames, K codebooks."""

    def __init__(self, model: Path | None, tries: int) -> None:
        folder = model_folder(model)
        self.frontend: Frontend = load_front(folder)
        self.engine = Engine(load_model(folder / "lm"), slots=SLOTS)
        self.tries, self.task = tries, registry.task("tts")

    def say(self, rows: list[dict[str, Any]]) -> list[list[TrainingPair]]:
        """The outputs of each request that ended by themselves: prompt, codes (F, K), and the phone of each frame."""
        owners: dict[int, tuple[int, Prompt]] = {}
        parts: dict[int, list[tuple[np.ndarray, np.ndarray]]] = defaultdict(list)
        said: list[list[TrainingPair]] = [[] for _ in rows]
        for index, row in enumerate(rows):
            fields = {name: row[name] for name in ("text", "voice", "language", "seed")}
            request = self.task.Request(**fields)
            prompt = self.task.prompt(request, self.frontend)
            packed = pack(prompt)
            for number in range(self.tries):
                seeded = request.model_copy(update={"seed": (row["seed"] + number) % 2**31})
                params = self.task.params(seeded, prompt, self.frontend.codec.frame_rate)
                owners[self.engine.add(packed, params)] = (index, prompt)
        while self.engine.has_work:
            for output in self.engine.step():
                parts[output.id].append((output.codes_FK, output.pointer_F))
                if output.finished and output.reason == "stop":
                    index, prompt = owners[output.id]
                    codes, pointers = zip(*parts.pop(output.id), strict=True)
                    said[index].append(
                        TrainingPair(prompt, np.concatenate(codes), np.concatenate(pointers).astype(np.int32))
                    )
        return said


def hear(manifest: Path, model: Path | None, out: Path, tries: int, minutes: float) -> None:
    """Adds to OUT/heard.jsonl until the requests or the minutes are over."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / "heard.jsonl"
    done = {json.loads(line)["id"] for line in path.read_text().splitlines()} if path.exists() else set()
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        row["voice"] = str(manifest.parent / row["voice"])
    rows = [row for row in rows if row["id"] not in done]
    speaker, whisper, voices = Speaker(model, tries), ShortWhisper(), GE2E()
    began, seconds = time.monotonic(), 0.0
    with path.open("a", encoding="utf-8") as file:
        for at in range(0, len(rows), AT_ONCE):
            if time.monotonic() - began > 60 * minutes:
                break
            some = rows[at : at + AT_ONCE]
            for row, pairs in zip(some, speaker.say(some), strict=True):
                if len(pairs) < 2:
                    continue
                wavs = [speaker.frontend.decode(pair.target_FK) for pair in pairs]
                seconds += sum(map(len, wavs)) / speaker.frontend.sample_rate
                heard = whisper.transcribe(wavs, [row["language"]] * len(wavs))
                voice_D, *said = voices.embed([speaker.frontend.trimmed_voice(row["voice"]), *wavs])
                for pair, transcript, said_D in zip(pairs, heard, said, strict=True):
                    counts = wer_counts(row["text"], transcript.text, row["language"])
                    line = {
                        "id": row["id"], "language": row["language"], "text": row["text"],
                        "heard": transcript.text, "probability": round(transcript.log_probability, 3),
                        "wer": round(counts.wer.value or 0.0, 4),
                        "cer": round(cer(row["text"], transcript.text, row["language"]).value or 0.0, 4),
                        "cosine": round(float(voice_D @ said_D), 4),
                        "pair": base64.b64encode(encode_pair(pair).tobytes()).decode(),
                    }  # fmt: skip
                    file.write(json.dumps(line, ensure_ascii=False) + "\n")
            file.flush()
            rate = seconds / (time.monotonic() - began)
            print(
                f"{at + len(some)}/{len(rows)} requests, {seconds:.0f} s of sound, {rate:.1f} s a second",
                flush=True,
            )


def groups(path: Path) -> Iterator[list[dict[str, Any]]]:
    """The outputs of each request."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        found[row["id"]].append(row)
    yield from found.values()


def badness(row: dict[str, Any]) -> float:
    """How badly an output was understood: wrong words and letters, at most all of them, and the recognizer's doubt."""
    return float(min(1.0, row["wer"]) + min(1.0, row["cer"]) - 0.1 * max(-2.0, row["probability"]))


def pairs_of(outputs: list[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """(better, worse) outputs of one request, at most MOST_PAIRS, the clearest first."""
    ranked = sorted(outputs, key=badness)
    found = list[tuple[float, int, int]]()
    for one, other in itertools.combinations(range(len(ranked)), 2):
        better, worse = ranked[one], ranked[other]
        gain = min(1.0, worse["wer"]) - min(1.0, better["wer"])
        like = better["cosine"] - worse["cosine"]
        if better["wer"] <= MOST_WRONG and gain >= LEAST_GAIN and like >= LEAST_LIKE:
            found.append((-gain, one, other))
    for _, one, other in sorted(found)[:MOST_PAIRS]:
        yield ranked[one], ranked[other]


def choose(out: Path) -> None:
    """Writes OUT/better and OUT/worse, for the codec in the package."""
    codec = load_front().codec
    requests, chosen = 0, defaultdict[str, int](int)
    with (
        ShardWriter(out / "better", "tts", codec.hash, PHONE_TABLE_VERSION) as better,
        ShardWriter(out / "worse", "tts", codec.hash, PHONE_TABLE_VERSION) as worse,
    ):
        for outputs in groups(out / "heard.jsonl"):
            requests += 1
            for pair in pairs_of(outputs):
                for writer, row in zip((better, worse), pair, strict=True):
                    writer.add(decode_pair(np.frombuffer(base64.b64decode(row["pair"]), np.int16)))
                chosen[pair[0]["language"]] += 1
    print(f"{sum(chosen.values())} pairs from {requests} requests: {dict(chosen)}")


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("step", choices=("hear", "choose"))
    parser.add_argument("manifest", nargs="?", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", type=Path, help="default: the packaged model")
    parser.add_argument("--tries", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=1e9)
    options = parser.parse_args()
    if options.step == "choose":
        choose(options.out)
        return
    if options.manifest is None:
        parser.error("hear needs a manifest")
    torch.set_grad_enabled(False)
    hear(options.manifest, options.model, options.out, options.tries, options.minutes)


if __name__ == "__main__":
    main()

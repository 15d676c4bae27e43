"""Says requests several times and notes which words a recognizer understood, for `speechx train preference`.

    python scripts/make_tries.py PACK... --count en=400 --count es=300 --out TRIES
    python scripts/hear_tries.py TRIES/manifest.jsonl --out TRIES/heard.jsonl --minutes 60

The language model of MODEL says each request, and Whisper base listens. Each output is a line of the file
(speechx.data.tries), with what was heard and its likeness to the voice; outputs that ran into the limit of their length are
left out. It goes on where it stopped.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from speechx.audio.reading import resample
from speechx.data.tries import try_row
from speechx.engine.engine import Engine
from speechx.eval.judges.ge2e import GE2E
from speechx.eval.judges.whisper import Whisper
from speechx.eval.metrics.words import WerCounts, normalize, wer_counts
from speechx.eval.scores import Unmeasurable
from speechx.files import atomic_write, read_json_lines
from speechx.models.lm.folder import load_model
from speechx.models.lm.prompt import Prompt, pack
from speechx.pipeline.loading import load_front, model_folder
from speechx.task import registry
from speechx.task.examples import TrainingPair
from speechx.task.frontend import Frontend
from speechx.tasks._shared.sentences import phones_to_say
from speechx.text import PhoneSequence

AT_ONCE = 10  # requests
SLOTS = 16
GE2E_DIM = 256


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


def words_of(speech: PhoneSequence, text: str, counts: WerCounts) -> list[tuple[int, int, bool]] | None:
    """Phones [start, stop) of each word, and whether it was understood; None where the texts have other words."""
    spoken = [normalize(word.text, speech.language).split() for word in speech.words]
    if list(itertools.chain(*spoken)) != normalize(text, speech.language).split():
        return None
    wrong = iter(counts.wrong)
    understood = [not sum([next(wrong) for _ in parts]) for parts in spoken]
    return [(w.start, w.stop, right) for w, right in zip(speech.words, understood, strict=True)]


class Listener:
    """Whisper base for the words, GE2E for the likeness to the voice."""

    def __init__(self) -> None:
        self.whisper, self.voices = ShortWhisper(), GE2E()

    def speaker(self, wav_T: np.ndarray) -> np.ndarray:
        """(D,) embedding of length 1; zeros for silence, which is like nobody."""
        try:
            return self.voices.embed([wav_T])[0]
        except Unmeasurable:
            return np.zeros(GE2E_DIM, np.float32)

    def lines(
        self, row: dict[str, Any], pairs: list[TrainingPair], frontend: Frontend
    ) -> Iterator[dict[str, Any]]:
        """A line of each output; none where the words of the text and of its phones differ."""
        text, language = row["text"], row["language"]
        speech = phones_to_say(text, language, frontend)
        sounds = [frontend.trimmed_voice(row["voice"]), *(frontend.decode(pair.target_FK) for pair in pairs)]
        voice_T, *wavs = (resample(wav_T, frontend.sample_rate) for wav_T in sounds)
        heard = self.whisper.transcribe(wavs, [language] * len(wavs))
        voice_D = self.speaker(voice_T)
        for pair, transcript, wav_T in zip(pairs, heard, wavs, strict=True):
            counts = wer_counts(text, transcript.text, language)
            words = words_of(speech, text, counts)
            if words is None:
                return
            yield {
                "id": row["id"], "language": language, "text": text, "heard": transcript.text,
                "probability": round(transcript.log_probability, 3),
                "cosine": round(float(voice_D @ self.speaker(wav_T)), 4), "wer": round(counts.wer.value or 0.0, 4),
                **try_row(pair, words, frontend.codec.hash),
            }  # fmt: skip


def whole_lines(out: Path) -> set[str]:
    """Ids of the requests in a file; what an earlier run left half-written is cut off, with its request."""
    if not out.exists():
        return set()
    *lines, last = out.read_text(encoding="utf-8").split("\n")
    if last:
        broken = {json.loads(line)["id"] for line in lines[-1:]}
        lines = [line for line in lines if json.loads(line)["id"] not in broken]
        atomic_write(out, "".join(f"{line}\n" for line in lines).encode())
    return {json.loads(line)["id"] for line in lines}


def hear(manifest: Path, model: Path | None, out: Path, tries: int, minutes: float) -> None:
    """Adds lines to OUT until the requests or the minutes are over."""
    done = whole_lines(out)
    rows = read_json_lines(manifest, "manifest")
    rows = [row | {"voice": str(manifest.parent / row["voice"])} for row in rows if row["id"] not in done]
    speaker, listener = Speaker(model, tries), Listener()
    began, seconds = time.monotonic(), 0.0
    with out.open("a", encoding="utf-8") as file:
        for at in range(0, len(rows), AT_ONCE):
            if time.monotonic() - began > 60 * minutes:
                break
            some = rows[at : at + AT_ONCE]
            for row, pairs in zip(some, speaker.say(some), strict=True):
                seconds += sum(len(pair.target_FK) for pair in pairs) / speaker.frontend.codec.frame_rate
                for line in listener.lines(row, pairs, speaker.frontend) if pairs else ():
                    file.write(json.dumps(line, ensure_ascii=False) + "\n")
            file.flush()
            rate = seconds / (time.monotonic() - began)
            print(
                f"{at + len(some)}/{len(rows)} requests, {seconds:.0f} s of sound, {rate:.1f} s a second",
                flush=True,
            )


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", type=Path, help="default: the packaged model")
    parser.add_argument("--tries", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=1e9)
    options = parser.parse_args()
    torch.set_grad_enabled(False)
    hear(options.manifest, options.model, options.out, options.tries, options.minutes)


if __name__ == "__main__":
    main()

"""Before and after an adaptation: held-out sentences of a speaker, said by the base model and by the adapted one.

`compare_models` is found by the command `speechx adapt` through the entry point `speechx.launchers`, and so is `recognizer`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from speechx.data.packs import AudioPack
from speechx.data.recordings import voice_of
from speechx.eval.items import RATE
from speechx.eval.run.session import EvalOptions, run_evaluation
from speechx.eval.sets.store import SetWriter, load_set
from speechx.task import registry
from speechx.task.examples import Example

__all__ = ["METRICS", "compare_models", "held_out_set", "recognizer"]

TASK = "tts"
MOST_ITEMS = 20
METRICS = ("wer", "speaker", "mos")
"""Of the short table for the terminal; the report has all."""


def compare_models(
    work: Path, base: Path | None, adapted: Path, language: str, output: Path, say: Callable[[str], None]
) -> dict[str, tuple[float | None, float | None]]:
    """Means (before, after) of METRICS over the held-out rows of WORK/pack; OUTPUT/report.html has players."""
    folder, before = work / "set", work / "before"
    for stale in (folder, before, output):
        shutil.rmtree(stale, ignore_errors=True)
    held_out_set(work / "pack", language, folder)
    _speak(folder, base, before, say)
    report = run_evaluation(
        EvalOptions(folder, output, systems=(f"before={before}",), model=adapted, workers=1), say
    )
    systems = report["abilities"][TASK]["systems"]
    means: dict[str, tuple[float | None, float | None]] = {}
    for name in METRICS:
        found = [systems[system]["metrics"].get(name) for system in ("before", "speechx")]
        old, new = (None if metric is None else metric["mean"] for metric in found)
        means[name] = (old, new)
    return means


def held_out_set(pack_folder: Path, language: str, folder: Path, seed: int = 1) -> None:
    """A test set of the rows of the dev split, each with 3 to 6 s of another recording, of the training split, as voice."""
    pack = AudioPack(pack_folder)
    held = [row for row in pack.rows if row.split == "dev" and row.text][:MOST_ITEMS]
    voice_T = voice_of(pack_folder, RATE)[: 6 * RATE]
    with SetWriter(folder) as writer:
        for number, row in enumerate(held):
            wav_T = np.asarray(pack.audio_at(RATE, row), np.float32)
            fields = {"text": row.text, "voice": (voice_T, RATE), "language": language}
            request = registry.parse_request(TASK, fields)
            meta = {"id": row.id, "seconds": row.seconds}
            speaker, references = row.speaker or "", {"voice": voice_T}
            example = Example(request, wav_T, row.text, language, speaker, meta, references)
            writer.add_example(f"{TASK}-{number:04d}", TASK, example, seed + number)
        writer.close({"name": f"held-out recordings of {held[0].speaker}", "seed": seed})


def _speak(folder: Path, model: Path | None, out: Path, say: Callable[[str], None]) -> None:
    """Outputs of a model for all items of a set, OUT/<id>.wav."""
    from speechx.api import SpeechX

    out.mkdir(parents=True)
    sx = SpeechX.load(model)
    items = load_set(folder).items
    for number, item in enumerate(items, 1):
        sx.run(item.task, **item.fields).save(out / f"{item.id}.wav")
        say(f"before: {number} of {len(items)} sentences")


def recognizer(name: str) -> Callable[[np.ndarray, str], str]:
    """(samples (T,) at 16 kHz, language) -> text, by a recognizer of `speechx eval run --asr`."""
    from speechx.eval.judges.judges import Judges

    judges = Judges(asr=name, mos=())
    return lambda wav_T, language: judges.transcribe(wav_T, language).text

"""Before and after an adaptation: held-out sentences of a speaker, said by the base model and by the adapted one.

`compare_models` is found by the command `speechx adapt` through the entry point `speechx.launchers`, and so is `recognizer`,
by the page, too.
"""

from __future__ import annotations

import resource
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

import numpy as np

from speechx.data.packs import AudioPack
from speechx.data.recordings import voice_of
from speechx.errors import InputError
from speechx.eval.items import RATE
from speechx.eval.judges.base import install_command
from speechx.eval.judges.whisper import missing_package
from speechx.eval.metrics.bootstrap import paired
from speechx.eval.report.schema import SystemSummary
from speechx.eval.rows import ScoreRow, read_rows
from speechx.eval.run.session import EvalOptions, run_evaluation
from speechx.eval.scores import Unmeasurable
from speechx.eval.sets.store import SetWriter, load_set
from speechx.memory import release_memory
from speechx.task import registry
from speechx.task.examples import Example

__all__ = ["METRICS", "SpeechRecognizer", "compare_models", "held_out_set", "missing_judges", "recognizer"]

TASK = "tts"
MOST_SENTENCES, MOST_ITEMS, MOST_SEEDS = 20, 24, 4
"""Few sentences are said with several seeds each, which tells their words better."""

SPEAK_SECONDS = 80.0
"""Of one model, where each sentence was said once. With the judges the report takes 4 minutes at most on two free cores."""

BEFORE, AFTER = "before", "after"

MEASURES = {"the speaker's cosine": ("resemblyzer",), "DistillMOS": ("distillmos", "xls_r_sqa")}
"""What judges measure whose packages the extra `eval` cannot bring."""

METRICS = ("wer", "speaker", "mos")
"""Of the short table for the terminal; the report has all."""

Change: TypeAlias = tuple[float | None, float | None, float | None, float | None]
"""A mean before and after, and the 95 % interval of its change over the sentences."""


def compare_models(
    work: Path, base: Path | None, adapted: Path, language: str, output: Path, say: Callable[[str], None]
) -> dict[str, Change]:
    """METRICS before and after over the held-out rows of WORK/pack.

    OUTPUT/report.html has players, OUTPUT/set is the test set.
    """
    folder, spoken = work / "set", {name: work / name for name in (BEFORE, AFTER)}
    for stale in (folder, *spoken.values(), output):
        shutil.rmtree(stale, ignore_errors=True)
    sentences = held_out_set(work / "pack", language, folder, adapted.name)
    release_memory()  # of the training
    count = _speak(folder, base, spoken[BEFORE], sentences, say)
    release_memory()
    _speak(folder, adapted, spoken[AFTER], count, say, most=count)
    release_memory()
    options = EvalOptions(
        folder, output, items=count, systems=tuple(f"{name}={made}" for name, made in spoken.items()), speaks=False,
        workers=1, references=("ground_truth",),
    )  # fmt: skip
    systems = run_evaluation(options, say)["abilities"][TASK]["systems"]
    shutil.move(folder, output / "set")
    rows = read_rows(output)
    return {name: _change(name, systems, rows) for name in METRICS}


def missing_judges() -> tuple[bool, str] | None:
    """Whether a report can be made, and a line for people about what it lacks; None where all packages are installed."""
    extra = next(
        (name for name in ("rapidfuzz", "scipy", "whisper_normalizer") if find_spec(name) is None), None
    )
    if package := missing_package() or extra:
        return False, f'no report can be made: {package} is not installed (pip install "speechx[eval]")'
    lacking = [name for name, packages in MEASURES.items() if not all(map(find_spec, packages))]
    if not lacking:
        return None
    return True, f"the report will lack {' and '.join(lacking)}: {install_command('Resemblyzer')}"


def _change(name: str, systems: Mapping[str, SystemSummary], rows: Sequence[ScoreRow]) -> Change:
    """Seeds of one sentence count as one measurement: an interval over all items would be too narrow."""
    means = [
        None if (metric := systems[system]["metrics"].get(name)) is None else metric["mean"]
        for system in (BEFORE, AFTER)
    ]
    values: dict[str, dict[object, list[list[float]]]] = {BEFORE: {}, AFTER: {}}
    for row in rows:
        if row["system"] in values and name in row["scores"]:
            values[row["system"]].setdefault(row["meta"]["id"], []).append(row["scores"][name])
    old, new = values[BEFORE], values[AFTER]
    both = [sentence for sentence in old if sentence in new]
    a, b = ([float(np.mean([value for value, _ in side[s]])) for s in both] for side in (old, new))
    found = paired(a, b, [old[s][0][1] for s in both])
    return means[0], means[1], None if found is None else found.low, None if found is None else found.high


def held_out_set(
    pack_folder: Path, language: str, folder: Path, name: str = "a speaker", seed: int = 1
) -> int:
    """A test set of the rows of the dev split, each with 3 to 6 s of a training recording of its speaker as voice.

    All rows once, then all again with another seed, and so on. Returns the number of rows.
    """
    pack = AudioPack(pack_folder)
    held = [row for row in pack.rows if row.split == "dev" and row.text][:MOST_SENTENCES]
    voices = {row.speaker: voice_of(pack_folder, RATE, row.speaker)[: 6 * RATE] for row in held}
    count = max(len(held), min(MOST_ITEMS, MOST_SEEDS * len(held)))
    with SetWriter(folder) as writer:
        for number in range(count):
            row = held[number % len(held)]
            voice_T = voices[row.speaker]
            wav_T = np.asarray(pack.audio_at(RATE, row), np.float32)
            fields = {"text": row.text, "voice": (voice_T, RATE), "language": language}
            request = registry.parse_request(TASK, fields)
            meta = {"id": row.id, "seconds": row.seconds}
            speaker, references = row.speaker or "", {"voice": voice_T}
            example = Example(request, wav_T, row.text, language, speaker, meta, references)
            writer.add_example(f"{TASK}-{number:04d}", TASK, example, seed + number)
        gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        note = f"{len(held)} sentences; peak memory until here {gigabytes:.1f} GB"
        speakers = name if len(voices) == 1 else f"{len(voices)} speakers"
        writer.close({"name": f"held-out recordings of {speakers}", "seed": seed, "note": note})
    return len(held)


def _speak(
    folder: Path, model: Path | None, out: Path, sentences: int, say: Callable[[str], None], most: int | None = None
) -> int:  # fmt: skip
    """Outputs of a model, OUT/<id>.wav, for each sentence and then for as many more items as SPEAK_SECONDS allow.

    most: items at most. Returns how many there are.
    """
    from speechx.api import SpeechX

    out.mkdir(parents=True)
    sx = SpeechX.load(model)
    items, started = load_set(folder).items[:most], time.monotonic()
    for number, item in enumerate(items):
        if number >= sentences and time.monotonic() - started > SPEAK_SECONDS:
            return number
        sx.run(item.task, **item.fields).save(out / f"{item.id}.wav")
        say(f"{out.name}: {number + 1} of {len(items)} outputs, {sentences} sentences")
    return len(items)


class SpeechRecognizer:
    """(samples (T,) at 16 kHz, language) -> text, by a recognizer of `speechx eval run --asr`, loaded at the first call."""

    def __init__(self, name: str, needed: bool = True) -> None:
        """needed: False where it may never be called, so that its package may be missing.

        Raises InputError where a package is missing, or there is no recognizer of this name.
        """
        from speechx.eval.judges.judges import Judges

        try:
            self._judges = Judges(asr=name, mos=())
        except InputError as error:  # an unknown name
            raise InputError(str(error).replace("asr:", "recognizer:", 1), field="recognizer") from error
        if needed and name == "whisper-base" and (package := missing_package()):
            message = f'recognizer: {name} needs {package}: pip install "speechx[eval]"'
            raise InputError(message, field="recognizer")

    def __call__(self, wav_T: np.ndarray, language: str) -> str:
        """Raises InputError where it cannot be loaded, or does not know the language."""
        try:
            return self._judges.transcribe(wav_T, language).text
        except Unmeasurable as error:
            raise InputError(f"recognizer: {error}", field="recognizer") from error


def recognizer(name: str, needed: bool = True) -> SpeechRecognizer:
    """See SpeechRecognizer."""
    return SpeechRecognizer(name, needed)

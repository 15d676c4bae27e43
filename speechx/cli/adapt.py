"""`speechx adapt`: from recordings of one person to a model that speaks in that voice."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias, cast

import typer

from speechx.audio.reading import SAMPLE_RATE
from speechx.cli.cluster import launcher
from speechx.cli.console import LanguageOption, ModelOption, output_option, say
from speechx.cli.languages import PhonesOption, keep_language, kept_language, known_language
from speechx.cli.machine import peak_memory_mb
from speechx.cli.recipes import find_recipe
from speechx.data.code_pool import MAX_PER
from speechx.data.progress import ticker
from speechx.errors import InputError
from speechx.files import atomic_files
from speechx.task.voices import VoiceStore, check_voice_id
from speechx.text.languages import LANGUAGES

if TYPE_CHECKING:
    from speechx.data.recordings import CheckedRecordings, Recognize
    from speechx.models.config import JSONObject
    from speechx.task.frontend import Frontend
    from speechx.training.adapt import AdaptedVoice

    Lacking: TypeAlias = Callable[[], tuple[bool, str] | None]
    Changes: TypeAlias = dict[str, tuple[float | None, float | None, float | None, float | None]]

ADDED_MAX_PER = 0.85
"""Of a language that the aligner was not trained on: of 100 Dutch texts by Whisper the median was 0.71."""

FEWEST_SECONDS = 40.0
"""Of recordings to train on: a minute, less what is held out."""


Recordings = Annotated[
    Path,
    typer.Argument(
        help="folder of recordings (NAME.wav with NAME.txt or NAME.lab), CSV or JSONL (audio, text), or one long file"
    ),
]
Name = Annotated[str, typer.Option(help="id of the voice: a-z, 0-9, - and _")]
Output = Annotated[Path | None, output_option("model folder to write (default: models/NAME)")]
Minutes = Annotated[float, typer.Option(min=0.05, help="at most so many minutes of training")]
Consent = Annotated[
    bool, typer.Option("--consent", help="the speaker agreed: enroll the voice with its adapter")
]
License = Annotated[str, typer.Option(help="license of the recordings, kept in the adapter")]
Recognizer = Annotated[
    str, typer.Option(help="of recordings without text: whisper-base, whisper:FOLDER, or none")
]
MaxPER = Annotated[
    float | None,
    typer.Option(
        help=f"phone error rate above which a text does not fit: {MAX_PER}, or {ADDED_MAX_PER} for an added language"
    ),
]
Config = Annotated[Path, typer.Option(help="recipe: a YAML file or a packaged name", callback=find_recipe)]
Resume = Annotated[bool, typer.Option("--resume", help="continue a run that was interrupted")]
Report = Annotated[bool, typer.Option(help="say held-out sentences before and after, and score them")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="replace what is in the output folder")]


def adapt(
    recordings: Recordings, name: Name, language: LanguageOption = "en", phones: PhonesOption = None, output: Output = None,
    minutes: Minutes = 20.0,
    consent: Consent = False, license: License = "", recognizer: Recognizer = "whisper-base", max_per: MaxPER = None,
    config: Config = Path("lm/adapt"), resume: Resume = False, report: Report = True, overwrite: Overwrite = False,
    model: ModelOption = None,
) -> None:  # fmt: skip
    """Adapt the language model to the recordings of one person, from 1 minute to 5 hours."""
    from speechx.pipeline.loading import load_front, model_folder
    from speechx.training.adapt import adapt_voice, prepare_voice
    from speechx.training.lm_config import LMTrainConfig

    check_voice_id(name, "name")
    base = model_folder(model, parts=("codec", "lm", "aligner"))
    folder = _folder(output or Path("models") / name)
    work = folder.with_name(f".{folder.name}.work")
    if resume:
        kept_language(work)
    known_language(language, base, phones)
    _check_output(folder, work, base, overwrite, resume)
    if consent:
        _check_name(name, overwrite or resume)  # an interrupted report follows the enrollment
    if report and (lacking := cast("Lacking", launcher("judges"))()):
        report, line = lacking
        say(line)
    if not resume:
        max_per = max_per or (MAX_PER if language in LANGUAGES else ADDED_MAX_PER)
        checked = _checked(recordings, load_front(base), language, recognizer, consent, (folder, work))
        errors = prepare_voice(checked, base, work, max_per)
        keep_language(language, work)
        _write_table(work / "recordings.csv", checked, errors, max_per)
    seconds = _training_seconds(work / "recordings.csv")
    try:
        made = adapt_voice(
            LMTrainConfig.read(config), base, work, name=name, language=language, minutes=minutes, seconds=seconds,
            consent=consent, license=license, resume=resume,
        )  # fmt: skip
        _tell_loss(made)
        _write_folder(base, folder, work, made.data, name)
        spoken = "" if language == "en" else f" --language {language}"
        say(f"model -> {folder}; use it with --model {folder}{spoken}")
        if consent:
            _enroll(work, name, language, license, made.data)
        else:
            say("no voice is enrolled: that takes --consent, which says that the speaker agreed")
        figures: JSONObject = {}
        if report:
            before = base if made.before is None else _add_adapter(base, work / "base", "before", made.before)
            figures = _report(work, before, folder, language)
    except KeyboardInterrupt:
        say("interrupted; the same command with --resume continues")
        raise
    _write_figures(folder, made, figures)
    shutil.rmtree(work)


def _folder(output: Path) -> Path:
    """The folder to write; of a link, what it points to. Raises InputError for one without a name."""
    if not output.name or output.name == "..":
        raise InputError(f"output: {output} names no new folder; give it a name of its own", field="output")
    return output.resolve() if output.is_symlink() else output


def _check_output(folder: Path, work: Path, base: Path, overwrite: bool, resume: bool) -> None:
    """Raises InputError where something would be overwritten, or there is nothing to resume."""
    own = (folder / "recordings.csv").is_file() and (folder / "lm" / "config.json").is_file()
    if folder.exists() and not overwrite and not (resume and own):
        raise InputError(f"output: {folder} exists; choose another folder, or --overwrite", field="output")
    if folder.exists() and not own and (not folder.is_dir() or any(folder.iterdir())):
        what = "holds something other than a model of speechx adapt, and is not overwritten"
        raise InputError(f"output: {folder} {what}; choose another folder", field="output")
    if folder.resolve() in (base.resolve(), *base.resolve().parents):
        raise InputError(
            f"output: {folder} is the model to start from; choose another folder", field="output"
        )
    has_run = (work / "recordings.csv").is_file()
    if resume and not has_run:
        raise InputError(f"resume: there is no interrupted run in {work}", field="resume")
    if has_run and not resume and not overwrite:
        raise InputError(
            f"output: {work} holds an interrupted run; continue it with --resume, or begin anew with --overwrite",
            field="output",
        )


def _check_name(name: str, overwrite: bool) -> None:
    """Raises InputError for the id of a voice that must not be replaced."""
    store = VoiceStore()
    if name not in store.ids():
        return
    if store.get(name).builtin:
        raise InputError(f"name: {name!r} is a voice of the package; choose another name", field="name")
    if not overwrite:
        raise InputError(f"name: voice {name!r} exists; choose another name, or --overwrite", field="name")


def _tell_loss(made: AdaptedVoice) -> None:
    kept, last = made.steps
    ended = f"training ended after {last} steps" + (f"; the best was step {kept}" if kept is not None else "")
    say(f"{ended}. Loss of held-out recordings: {made.loss[0]:.3f} before, {made.loss[1]:.3f} after")
    if made.loss[1] >= made.loss[0]:
        say("it did not fall, so the adapter changes nothing yet: give more --minutes, or more recordings")


def _checked(
    recordings: Path,
    frontend: Frontend,
    language: str,
    recognizer: str,
    consent: bool,
    written: tuple[Path, ...],
) -> CheckedRecordings:
    """written: folders that will be replaced, so that no recording may be in them."""
    from speechx.data.recordings import check_recordings, speaker_rows
    from speechx.text.g2p.report import reading_report

    # A language that is added may be learned from many, but a voice is of one.
    rows = speaker_rows(recordings, language, several=not consent and language not in LANGUAGES)
    goals = {goal.resolve() for goal in written}
    if inside := next((row.path for row in rows if goals & set(row.path.resolve().parents)), None):
        raise InputError(f"output: the recording {inside} is in it; choose another folder", field="output")
    recognize, needed = None, any(not row.text for row in rows)
    if recognizer != "none":
        recognize = cast("Recognize", launcher("recognizer")(recognizer, needed))
        if needed:
            say(f"some recordings have no text; {recognizer} transcribes them")
    checked = check_recordings(rows, frontend, language, recognize, ticker("check"))
    say(checked.table())
    for line in reading_report((row.text or "" for row in checked.rows), language):
        say(line)
    held, left = checked.minutes("dev") * 60, checked.minutes("train") * 60
    if left < FEWEST_SECONDS:
        raise InputError(
            f"recordings: {held + left:.0f} s can be used, of which {held:.0f} s are held out and {left:.0f} s are left to "
            f"train on, where {FEWEST_SECONDS:.0f} s are needed: give {max(60, held + FEWEST_SECONDS):.0f} s or more in all",
            field="recordings",
        )
    return checked


def _write_table(path: Path, checked: CheckedRecordings, errors: dict[str, float], max_per: float) -> None:
    """What became of each recording, for people: id, seconds, used for, text, phone error rate, why not."""
    with atomic_files(path) as (part,), part.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["id", "seconds", "used_for", "text", "phone_error_rate", "why_not"])
        for row, seconds in zip(checked.rows, checked.seconds, strict=True):
            error = errors.get(row.id)
            fits = error is not None and error <= max_per
            used = {"train": "training", "dev": "held out"}[row.split] if fits else ""
            table.writerow(
                [row.id, f"{seconds:.2f}", used, row.text, error, "" if fits else "its text does not fit"]
            )
        for drop in checked.dropped:
            table.writerow([drop.id, f"{drop.seconds:.2f}", "", "", "", drop.detail or drop.why])
    wrong = sum(errors.get(row.id, max_per + 1) > max_per for row in checked.rows)
    if wrong:
        say(f"{'dropped: its text does not fit':32}{wrong:6}")


def _training_seconds(path: Path) -> float:
    with path.open(newline="", encoding="utf-8") as file:
        return sum(float(row["seconds"]) for row in csv.DictReader(file) if row["used_for"] == "training")


def _write_folder(base: Path, folder: Path, work: Path, adapter: bytes, name: str) -> None:
    """The base model with the adapter, and the table of recordings. The folder appears whole."""
    made = _add_adapter(base, work / "model", name, adapter)
    shutil.copy(work / "recordings.csv", made / "recordings.csv")
    if folder.exists():
        shutil.rmtree(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    made.rename(folder)


def _add_adapter(base: Path, folder: Path, name: str, adapter: bytes) -> Path:
    from speechx.models.lm.folder import add_voice_adapter

    shutil.rmtree(folder, ignore_errors=True)
    for part in (path for path in base.iterdir() if (path / "config.json").is_file()):
        shutil.copytree(part, folder / part.name)
    add_voice_adapter(folder / "lm", name, adapter)
    return folder


def _enroll(work: Path, name: str, language: str, license: str, adapter: bytes) -> None:
    """Keeps a recording of the speaker and the adapter among the voices."""
    from speechx.data.recordings import voice_of

    wav_T = voice_of(work / "pack", SAMPLE_RATE)
    store, kept = VoiceStore(), {"license": license} if license else {}
    store.enroll((wav_T, SAMPLE_RATE), name, language=language, consent=True, overwrite=True, **kept)
    store.set_adapter(name, adapter)
    say(f"voice {name} is enrolled with its adapter: use it with --voice {name}")


def _report(work: Path, base: Path, folder: Path, language: str) -> JSONObject:
    """The table before and after; its numbers. None are measured without the extra `eval`."""
    try:
        changes = cast("Changes", launcher("compare")(work, base, folder, language, folder / "report", say))
    except ModuleNotFoundError as error:
        say(f"no report: {error.name} is not installed (pip install 'speechx[eval]')")
        return {}
    say(f"{'held-out sentences':20}{'before':>10}{'after':>10}   95 % of the change")
    for metric, (before, after, low, high) in changes.items():
        cells = "".join("       n/a" if value is None else f"{value:10.3f}" for value in (before, after))
        told = "" if low is None or high is None else f"   {low:+.3f} to {high:+.3f}" + _verdict(low, high)
        say(f"{metric:20}{cells}{told}")
    say(f"report with players: {folder / 'report' / 'report.html'}")
    return {
        metric: dict(zip(("before", "after", "low", "high"), values, strict=True))
        for metric, values in changes.items()
    }


def _verdict(low: float, high: float) -> str:
    return "" if low > 0 or high < 0 else " (too few sentences to tell)"


def _write_figures(folder: Path, made: AdaptedVoice, figures: JSONObject) -> None:
    """What was measured, beside the report: FOLDER/adaptation.json."""
    about = made.info
    facts: JSONObject = {
        "language": about.languages[0], "seconds_of_recordings": about.seconds, "minutes_of_training": about.minutes,
        "loss": {"before": made.loss[0], "after": made.loss[1]}, "peak_memory_mb": peak_memory_mb(), **figures,
    }  # fmt: skip
    with atomic_files(folder / "adaptation.json") as (part,):
        part.write_text(json.dumps(facts, indent=1), "utf-8")
    say(f"peak memory: {peak_memory_mb() / 1024:.1f} GB")

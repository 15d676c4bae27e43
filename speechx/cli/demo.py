"""`speechx demo`: every ability on the sample recordings, as one page to listen to and to send on."""

from __future__ import annotations

import base64
import difflib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from markupsafe import Markup, escape

from speechx.cli.console import Heartbeat, ModelOption, load, say
from speechx.errors import InputError

if TYPE_CHECKING:
    from speechx.api import SpeechX
    from speechx.audio.plots import PlotScale
    from speechx.cli.samples import Sample
    from speechx.pipeline.result import Speech

TEMPLATE = Path(__file__).with_name("demo.html.j2")
SEEDS = Path(__file__).with_name("demo_seeds.json")
"""Written by scripts/choose_demo_seeds.py, which has the rule."""

LABELS = {
    "voice": "the voice", "audio": "the recording", "enrollment": "the wanted speaker",
    "result": "SpeechX", "truth": "the original, for comparison",
}  # fmt: skip


@dataclass(frozen=True)
class DemoClip:
    """A player with pictures. source: a data URI. picture: an SVG element. kind: input, result or truth."""

    caption: str
    kind: str
    seconds: float
    source: str
    picture: Markup


@dataclass(frozen=True)
class DemoResult:
    """One request on the page. info: as in the final Chunk. text: with the edit marked. choice: why this seed."""

    title: str
    summary: str
    text: Markup | None
    clips: tuple[DemoClip, ...]
    choice: str
    info: dict[str, Any]


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="folder to write")] = Path("demo"),
    model: ModelOption = None,
) -> None:
    """Run every ability on the sample recordings and write a page with the results."""
    import speechx
    from speechx.cli.pages import render
    from speechx.cli.samples import sample_requests
    from speechx.files import atomic_write

    started = time.monotonic()
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"output: {output} cannot be made: {error.strerror}", field="output") from error
    say("loading the model ...")
    sx, samples, seeds = load(model), sample_requests(), json.loads(SEEDS.read_text("utf-8"))
    results = []
    for number, sample in enumerate(samples, 1):
        say(f"{number}/{len(samples)} {sample.title} ...")
        chosen = seeds["samples"].get(sample.title, {"seed": sample.fields["seed"]})
        results.append(perform(sx, sample, chosen, seeds["model"] == sx.pipeline.model))
        info = results[-1].info
        say(f"    {info['audio_seconds']:.1f} s of audio in {info['seconds']:.1f} s, RTF {info['rtf']:.2f}")
    processors, others = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    page = render(
        TEMPLATE, results=results, model=sx.pipeline.model, version=speechx.__version__, processors=processors, load=others
    )  # fmt: skip
    atomic_write(output / "index.html", page.encode())
    say(f"done in {time.monotonic() - started:.0f} s: open {output / 'index.html'}")


def perform(sx: SpeechX, sample: Sample, chosen: Mapping[str, Any], is_its_model: bool) -> DemoResult:
    """Runs one request. chosen: its entry in SEEDS. is_its_model: the seeds were chosen with these weights."""
    from speechx.audio.plots import PlotScale
    from speechx.pipeline.result import Speech, collect

    with Heartbeat("   "):
        made = collect(sx.stream(sample.task, **{**sample.fields, "seed": chosen["seed"]}))
    sounds = {name: Speech(wav_T, 16000) for name, wav_T in sample.sounds().items()}
    truth = sample.truth()
    sounds |= {"result": made} | ({"truth": Speech(truth, 16000)} if truth is not None else {})
    scale = PlotScale.of((speech.wav_T, speech.sample_rate) for speech in sounds.values())
    clips = tuple(clip(name, speech, scale) for name, speech in sounds.items())
    return DemoResult(
        sample.title, sx.tasks[sample.task], marked(sample.old_text, sample.output_text), clips,
        choice(chosen, is_its_model), made.info,
    )  # fmt: skip


def choice(chosen: Mapping[str, Any], is_its_model: bool) -> str:
    """Why this seed, as a sentence."""
    seed = chosen["seed"]
    if not is_its_model:
        return f"Seed {seed}: none was chosen, by ear or by rule."
    if "wer" not in chosen:
        return f"Seed {seed}, the first: no words are expected of it that could be counted."
    errors = sorted(chosen["wer_of_all"])
    return (
        f"Seed {seed}, the median of ten by word errors: {chosen['wer']:.0%} "
        f"(best {errors[0]:.0%}, worst {errors[-1]:.0%})."
    )


def clip(name: str, speech: Speech, scale: PlotScale) -> DemoClip:
    """The player and pictures of one sound. name: a field of the request, result or truth."""
    from speechx.audio.plots import sound_svg

    kind = name if name in ("result", "truth") else "input"
    source = "data:audio/mpeg;base64," + base64.b64encode(speech.encode("mp3")).decode()
    picture = Markup(sound_svg(speech.wav_T, speech.sample_rate, scale))
    return DemoClip(LABELS.get(name, name.replace("_", " ")), kind, speech.seconds, source, picture)


def marked(old: str | None, new: str | None) -> Markup | None:
    """The new text, with what was replaced struck out and what is new marked; None without a text."""
    if new is None or old is None:
        return None if new is None else escape(new)
    before, after = old.split(), new.split()
    parts: list[Markup] = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            parts.append(escape(" ".join(after[c:d])))
            continue
        if b > a:
            parts.append(Markup("<del>{}</del>").format(" ".join(before[a:b])))
        if d > c:
            parts.append(Markup("<ins>{}</ins>").format(" ".join(after[c:d])))
    return Markup(" ").join(parts)

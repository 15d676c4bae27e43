"""`speechx demo`: all seven abilities on the sample recordings, as wav files and a page to listen to."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from speechx.cli.console import Heartbeat, ModelOption, load, say
from speechx.errors import InputError

if TYPE_CHECKING:
    from speechx.api import SpeechX
    from speechx.cli.samples import Sample
    from speechx.pipeline.result import Speech

TEMPLATE = Path(__file__).with_name("demo.html.j2")


@dataclass(frozen=True)
class DemoClip:
    """A player with pictures. file: relative to the page. waveform: an SVG element. spectrogram: a data URI."""

    caption: str
    file: str
    seconds: float
    waveform: str
    spectrogram: str


@dataclass(frozen=True)
class DemoResult:
    """One request on the page. info: as in the final Chunk."""

    title: str
    text: str | None
    clips: tuple[DemoClip, DemoClip]
    info: dict[str, Any]


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="folder to write")] = Path("demo"),
    model: ModelOption = None,
) -> None:
    """Run every ability on the sample recordings and write a page with the results."""
    from speechx.cli.pages import render
    from speechx.cli.samples import sample_requests
    from speechx.files import atomic_write

    started = time.monotonic()
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"output: {output} cannot be made: {error.strerror}", field="output") from error
    say("loading the model ...")
    sx, samples = load(model), sample_requests()
    results = []
    for number, sample in enumerate(samples, 1):
        say(f"{number}/{len(samples)} {sample.title} ...")
        name = f"{number}-{sample.title.lower().replace(' ', '-').replace(',', '')}"
        results.append(perform(sx, sample, output, name))
        info = results[-1].info
        say(f"    {info['audio_seconds']:.1f} s of audio in {info['seconds']:.1f} s, RTF {info['rtf']:.2f}")
    page = render(TEMPLATE, results=results, model=sx.pipeline.model)
    atomic_write(output / "index.html", page.encode())
    say(f"done in {time.monotonic() - started:.0f} s: open {output / 'index.html'}")


def perform(sx: SpeechX, sample: Sample, output: Path, name: str) -> DemoResult:
    """Runs one request; writes NAME-before.wav and NAME-after.wav."""
    from speechx.audio import reading
    from speechx.pipeline.result import Speech, collect

    with Heartbeat("   "):
        after = collect(sx.stream(sample.task, **sample.fields))
    before = Speech(reading.read(sample.before), reading.SAMPLE_RATE)
    before.save(output / f"{name}-before.wav")
    after.save(output / f"{name}-after.wav")
    what = "voice" if "voice" in sample.fields else "before"
    clips = clip(what, f"{name}-before.wav", before), clip("after", f"{name}-after.wav", after)
    return DemoResult(sample.title, sample.output_text, clips, after.info)


def clip(caption: str, file: str, speech: Speech) -> DemoClip:
    """The pictures of one recording."""
    from speechx.audio.plots import mel_png, png_uri, waveform_svg

    spectrogram = png_uri(mel_png(speech.wav_T, speech.sample_rate))
    return DemoClip(caption, file, speech.seconds, waveform_svg(speech.wav_T), spectrogram)

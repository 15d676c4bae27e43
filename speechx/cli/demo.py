"""`speechx demo`: all seven abilities on the sample recordings, as wav files and a page to listen to."""

from __future__ import annotations

import html
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from speechx.cli.console import Heartbeat, ModelOption, load, say
from speechx.errors import InputError

if TYPE_CHECKING:
    from speechx.api import SpeechX
    from speechx.cli.samples import Sample
    from speechx.pipeline.result import Speech


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="folder to write")] = Path("demo"),
    model: ModelOption = None,
) -> None:
    """Run every ability on the sample recordings and write a page with the results."""
    from speechx.cli.samples import sample_requests
    from speechx.files import atomic_write

    started = time.monotonic()
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"output: {output} cannot be made: {error.strerror}", field="output") from error
    say("loading the model ...")
    sx, samples = load(model), sample_requests()
    sections, rows = [], []
    for number, sample in enumerate(samples, 1):
        say(f"{number}/{len(samples)} {sample.title} ...")
        section, info = perform(
            sx, sample, output, f"{number}-{sample.title.lower().replace(' ', '-').replace(',', '')}"
        )
        sections.append(section)
        rows.append((sample.title, info))
        say(f"    {info['audio_seconds']:.1f} s of audio in {info['seconds']:.1f} s, RTF {info['rtf']:.2f}")
    page = PAGE.format(table=table(rows), sections="\n".join(sections), model=html.escape(sx.pipeline.model))
    atomic_write(output / "index.html", page.encode())
    say(f"done in {time.monotonic() - started:.0f} s: open {output / 'index.html'}")


def perform(sx: SpeechX, sample: Sample, output: Path, name: str) -> tuple[str, dict[str, Any]]:
    """Runs one request, writes NAME-before.wav and NAME-after.wav; returns its part of the page and its info."""
    from speechx.audio import reading
    from speechx.pipeline.result import Speech, collect

    with Heartbeat("   "):
        after = collect(sx.stream(sample.task, **sample.fields))
    before = Speech(reading.read(sample.before), 16000)
    before.save(output / f"{name}-before.wav")
    after.save(output / f"{name}-after.wav")
    said = f"<p class=said>“{html.escape(sample.said)}”</p>" if sample.said else ""
    what = "voice" if "voice" in sample.fields else "before"
    section = (
        f"<section><h2>{html.escape(sample.title)}</h2>{said}<div class=pair>"
        f"{figure(what, f'{name}-before.wav', before)}{figure('after', f'{name}-after.wav', after)}</div></section>"
    )
    return section, after.info


def figure(caption: str, file: str, speech: Speech) -> str:
    """A player with the waveform and the mel spectrogram."""
    from speechx.audio.plots import mel_png, png_uri, waveform_svg

    mel = png_uri(mel_png(speech.wav_T, speech.sample_rate))
    return (
        f"<figure><figcaption>{caption}, {speech.seconds:.1f} s</figcaption>"
        f'<audio controls preload=none src="{file}"></audio>{waveform_svg(speech.wav_T)}'
        f'<img src="{mel}" alt="mel spectrogram, {caption}"></figure>'
    )


def table(rows: list[tuple[str, dict[str, Any]]]) -> str:
    """Seconds, RTF and first-audio time of every request."""
    body = "".join(
        f"<tr><td>{html.escape(title)}<td>{i['audio_seconds']:.2f}<td>{i['seconds']:.2f}<td>{i['rtf']:.2f}"
        f"<td>{i['first_audio_seconds']:.2f}<td>{i['seed']}"
        for title, i in rows
    )
    return f"<table><tr><th>ability<th>audio, s<th>made in, s<th>RTF<th>first audio, s<th>seed{body}</table>"


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>SpeechX demo</title><style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #223; }}
table {{ border-collapse: collapse; }} td, th {{ padding: .2rem .8rem; text-align: right; border-bottom: 1px solid #ddd; }}
td:first-child, th:first-child {{ text-align: left; }}
.pair {{ display: grid; grid-template-columns: 1fr 1fr; gap: 1.5rem; }} .said {{ font-style: italic; }}
figure {{ margin: 0; color: #357; }} audio {{ width: 100%; }} svg {{ width: 100%; height: 4rem; }}
img {{ width: 100%; height: 8rem; image-rendering: auto; }}
@media (max-width: 45rem) {{ .pair {{ grid-template-columns: 1fr; }} }}
</style></head><body>
<h1>SpeechX</h1>
<p>One model, seven abilities, each on a sample recording. The recordings are synthetic voices (see LICENSES.md in the
package's assets). Model {model}.</p>
{table}
{sections}
</body></html>
"""

"""`speechx bench`: how fast each ability is on this machine, how much memory it takes, and what a full batch gives.

Other packages add benches as entry points of group speechx.commands named bench-NAME: `speechx bench NAME`.
"""

from __future__ import annotations

import os
import platform
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
import typer.core

from speechx.cli.console import Heartbeat, JsonOption, ModelOption, put_json, say
from speechx.cli.machine import busy, peak_memory_mb, processor_name

if TYPE_CHECKING:
    from speechx.api import SpeechX
    from speechx.cli.samples import Sample


class Benches(typer.core.TyperGroup):
    """Benches of other packages, loaded when called."""

    def list_commands(self, ctx: Any) -> list[str]:
        from speechx.cli.main import command_names

        return [name.removeprefix("bench-") for name in command_names() if name.startswith("bench-")]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        from speechx.cli.main import as_command, load_command

        if cmd_name not in self.list_commands(ctx):
            return None
        return as_command(load_command(f"bench-{cmd_name}"), cmd_name)


app = typer.Typer(cls=Benches, invoke_without_command=True)


@app.callback()
def bench(
    ctx: typer.Context,
    model: ModelOption = None,
    repeat: Annotated[int, typer.Option(min=1, help="runs of each task; the median is printed")] = 3,
    concurrency: Annotated[str, typer.Option(help="numbers of tts requests at once")] = "1,2,4,8",
    busy_programs: Annotated[
        int, typer.Option("--busy", min=0, max=64, metavar="N", help="beside N other busy programs")
    ] = 0,
    json: JsonOption = False,
) -> None:
    """Measure how fast each task is on this machine, how soon it is heard, and how much memory it takes."""
    if ctx.invoked_subcommand is not None:
        return
    started = time.monotonic()
    sx = _loaded(model, max(_numbers(concurrency)))
    report: dict[str, Any] = {"machine": machine(), "model": sx.pipeline.model}
    report["load_seconds"] = round(time.monotonic() - started, 2)
    report["busy_programs"] = busy_programs
    with busy(busy_programs):
        _measure_all(sx, report, repeat, _numbers(concurrency))
    report["peak_memory_mb"] = peak_memory_mb()
    if json:
        put_json(report)
        return
    typer.echo(as_text(report))


def _measure_all(sx: SpeechX, report: dict[str, Any], repeat: int, numbers: list[int]) -> None:
    from speechx.cli.samples import sample_requests

    samples = sample_requests()
    report["tasks"] = []
    for sample in samples:
        with Heartbeat(sample.title):
            report["tasks"].append(measure(sx, sample, repeat))
        line = "{title:36}{audio_seconds:6.2f} s  RTF {rtf:5.2f}  first audio {first_audio_seconds:5.2f} s"
        say(line.format(**report["tasks"][-1]))
    report["throughput"] = throughput(sx, samples[0], numbers)
    report["codec_times_real_time"] = codec_speed(sx, samples[2].before)


def _loaded(model: Path | None, slots: int) -> SpeechX:
    from speechx.api import SpeechX

    return SpeechX.load(model, slots=max(8, slots))


def _numbers(text: str) -> list[int]:
    from speechx.errors import InputError

    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = [0]
    if min(numbers) < 1 or max(numbers) > 64:
        raise InputError(
            f"concurrency {text!r} must be numbers of 1 to 64 with commas between", field="concurrency"
        )
    return numbers


def machine() -> str:
    """This machine in words."""
    return f"{len(os.sched_getaffinity(0))} x {processor_name()}, Python {platform.python_version()}"


def codec_speed(sx: SpeechX, path: Path) -> float:
    """Encode + decode, in times real time."""
    frontend = sx.pipeline.frontend
    wav_T = frontend.load_audio(path)
    frontend.decode(frontend.encode(wav_T))  # warm up
    started = time.monotonic()
    frontend.decode(frontend.encode(wav_T))
    return round(len(wav_T) / frontend.sample_rate / (time.monotonic() - started), 1)


def measure(sx: SpeechX, sample: Sample, repeat: int) -> dict[str, Any]:
    """Medians of one ability, streaming, its voice cached after the first run (as it is in use)."""
    runs = []
    for number in range(repeat):
        chunks = list(sx.stream(sample.task, **(sample.fields | {"seed": number + 1})))
        runs.append(chunks[-1].info)
    median = {
        key: round(statistics.median(run[key] for run in runs), 4)
        for key in ("audio_seconds", "rtf", "first_audio_seconds")
    }
    return {"title": sample.title, "task": sample.task, **median, "peak_memory_mb": peak_memory_mb()}


def throughput(sx: SpeechX, sample: Sample, numbers: list[int]) -> list[dict[str, float]]:
    """Seconds of audio a second, with so many requests at once."""
    rows: list[dict[str, float]] = []
    for number in numbers:
        jobs = [sx.pipeline.job(sample.task, **(sample.fields | {"seed": n})) for n in range(2 * number)]
        started, audio = time.monotonic(), 0.0
        with Heartbeat(f"{number} at once"):
            for _, result in sx.pipeline.speak_many(jobs, number):
                if isinstance(result, Exception):
                    raise result
                audio += result.seconds
        speed = round(audio / (time.monotonic() - started), 3)
        gain = round(speed / (rows[0]["audio_per_second"] if rows else speed), 2)
        rows.append({"requests": number, "audio_per_second": speed, "gain": gain})
        say(f"{number} at once: {speed:.2f} s of audio a second")
    return rows


def as_text(report: dict[str, Any]) -> str:
    """The report as Markdown tables, for docs and model cards."""
    lines = [f"{report['machine']}, model {report['model']}, loaded in {report['load_seconds']} s"]
    if report["busy_programs"]:
        lines[0] += f", beside {report['busy_programs']} busy programs"
    lines.append("")
    lines += ["| task | audio | RTF | first audio |", "|---|---|---|---|"]
    lines += [
        f"| {r['title']} | {r['audio_seconds']:.2f} s | {r['rtf']:.2f} | {r['first_audio_seconds']:.2f} s |"
        for r in report["tasks"]
    ]
    lines += ["", "| tts requests at once | audio per second | gain |", "|---|---|---|"]
    lines += [
        f"| {r['requests']} | {r['audio_per_second']:.2f} s | {r['gain']:.2f} |" for r in report["throughput"]
    ]
    lines += ["", f"codec encode + decode: {report['codec_times_real_time']} times real time"]
    lines.append(f"peak memory: {report['peak_memory_mb']} MB")
    return "\n".join(lines)

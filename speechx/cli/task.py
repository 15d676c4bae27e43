"""The command of a task, made from its request: the first required field is the argument, the others are options."""

from __future__ import annotations

import inspect
import sys
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from speechx.audio import reading, writing
from speechx.cli.console import Heartbeat, JsonOption, ModelOption, load, put_json, say
from speechx.errors import InputError
from speechx.task import registry

if TYPE_CHECKING:
    from speechx.pipeline.job import Chunk, Info
    from speechx.task.task import AnyTask

Parameter = inspect.Parameter


def task_command(task: AnyTask) -> Callable[..., None]:
    """A function that typer turns into the command: its signature is the request's fields, and where to put the result."""

    def command(output: str, model: Path | None = None, json: bool = False, **fields: Any) -> None:
        given = {name: value for name, value in fields.items() if value is not None}
        perform(task, given, output, model, json)

    shared = registry.shared_fields(task)
    names = sorted(task.Request.model_fields, key=shared.__contains__)
    parameters = [_parameter(task, name) for name in names]
    parameters += [
        Parameter("output", Parameter.KEYWORD_ONLY, annotation=Annotated[str, OUTPUT]),
        Parameter("model", Parameter.KEYWORD_ONLY, annotation=ModelOption, default=None),
        Parameter("json", Parameter.KEYWORD_ONLY, annotation=JsonOption, default=False),
    ]
    parameters.sort(key=lambda p: p.default is not Parameter.empty)
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    command.__doc__ = f"{task.summary[0].upper()}{task.summary[1:]}."
    return command


OUTPUT = typer.Option(
    "--output", "-o", help="file to write (its suffix gives the format), or - for standard output"
)


def _parameter(task: AnyTask, name: str) -> Parameter:
    """One field of the request as a parameter of the command."""
    fields = task.Request.model_fields
    info = fields[name]
    first = next(field for field, its in fields.items() if its.is_required())
    kind = _plain_type(info.annotation)
    if name == first:
        return Parameter(
            name, Parameter.KEYWORD_ONLY, annotation=Annotated[kind, typer.Argument(help=info.description)]
        )
    option = typer.Option("--" + name.replace("_", "-"), help=info.description)
    if info.is_required():
        return Parameter(name, Parameter.KEYWORD_ONLY, annotation=Annotated[kind, option])
    if kind is bool:
        return Parameter(
            name, Parameter.KEYWORD_ONLY, annotation=Annotated[bool, option], default=info.default
        )
    return Parameter(
        name, Parameter.KEYWORD_ONLY, annotation=Annotated[kind | None, option], default=info.default
    )


def _plain_type(annotation: Any) -> Any:
    """bool, int, float, a pair of floats, or str for everything else: the request does the checking."""
    while typing.get_origin(annotation) in (Annotated, typing.Union, types.UnionType):
        parts = [a for a in typing.get_args(annotation) if a is not type(None)]
        if typing.get_origin(annotation) is not Annotated and len(parts) > 1:
            return str
        annotation = parts[0]
    if typing.get_origin(annotation) is tuple:
        return tuple[float, float]
    return annotation if annotation in (bool, int, float) else str


def perform(task: AnyTask, fields: dict[str, Any], output: str, model: Path | None, as_json: bool) -> None:
    """Runs one request and writes its result, whole or not at all."""
    from speechx.pipeline.result import Speech, collect

    registry.parse_request(task.name, fields)  # errors that need no model come first
    format = _format(output, fields.get("format"))
    if output == "-" and as_json:
        raise InputError(
            "json: standard output cannot take both the sound and the JSON; name a file with -o", field="json"
        )
    with Heartbeat(task.name) as beat:
        sx = load(model)
        chunks = _watched(sx.pipeline.stream(sx.pipeline.job(task.name, **fields)), beat)
        if output == "-":
            return say(_summary("standard output", _to_stdout(chunks, format)))
        speech: Speech = collect(chunks)
        speech.save(output, format)
    if "warning" in speech.info:
        say(f"speechx: warning: {speech.info['warning']}")
    if as_json:
        put_json({"output": output, **speech.info, "words": [w.as_dict() for w in speech.words]})
    else:
        say(_summary(output, speech.info))
        if fields.get("timestamps"):
            for word in speech.words:
                typer.echo(f"{word.start:.2f}\t{word.end:.2f}\t{word.text}")


def _watched(chunks: Iterable[Chunk], beat: Heartbeat) -> Iterator[Chunk]:
    seconds = 0.0
    for chunk in chunks:
        seconds += len(chunk.wav_T) / chunk.sample_rate
        beat.status = f"{seconds:.1f} s of audio made"
        yield chunk


def _format(output: str, wanted: str | None) -> str:
    """The audio format. An output that cannot be written is an error before the work, not after."""
    if output == "-":
        return wanted or "wav"
    path = Path(output)
    if path.is_dir():
        raise InputError(f"output: {output} is a folder; name a file in it", field="output")
    if not path.absolute().parent.is_dir():
        raise InputError(f"output: the folder {path.parent} does not exist", field="output")
    return wanted or writing.format_of(output)


def _to_stdout(chunks: Iterable[Chunk], format: str) -> Info:
    """Writes the sound as it is made; returns the final info."""
    from speechx.audio.writing import StreamEncoder
    from speechx.pipeline.result import playable

    encoder, info = None, {}
    for chunk in chunks:
        encoder = encoder or StreamEncoder(format, playable(chunk.wav_T[:0], chunk.sample_rate, format)[1])
        sys.stdout.buffer.write(encoder.push(reading.resample(chunk.wav_T, chunk.sample_rate, encoder.rate)))
        sys.stdout.buffer.flush()
        info = chunk.info
    if encoder is not None:
        sys.stdout.buffer.write(encoder.close())
        sys.stdout.buffer.flush()
    return info


def _summary(output: str, info: Info) -> str:
    return (
        f"{output}: {info['audio_seconds']:.2f} s, made in {info['seconds']:.2f} s "
        f"(RTF {info['rtf'] or 0:.2f}, first audio {info.get('first_audio_seconds', 0):.2f} s), seed {info['seed']}"
    )

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
from speechx.cli.console import Heartbeat, JsonOption, ModelOption, load, put_json, say, warn
from speechx.cli.inputs import check_one_pipe, check_output, file_option, given_audio, given_voice, read_texts
from speechx.errors import InputError
from speechx.task import registry
from speechx.text.languages import LANGUAGES

if TYPE_CHECKING:
    from speechx.pipeline.job import Chunk, Info
    from speechx.task.task import AnyTask

Parameter = inspect.Parameter


def task_command(task: AnyTask) -> Callable[..., None]:
    """A function that typer turns into the command: its signature is the request's fields, and where to put the result."""

    def command(output: str, model: Path | None = None, json: bool = False, **fields: Any) -> None:
        given = {name: value for name, value in fields.items() if value is not None}
        check_one_pipe(
            {name: value for name, value in given.items() if name in kinds or name.endswith("_file")}
        )
        perform(task, read_texts(given, texts), output, model, json)

    kinds, shared = registry.field_kinds(task.Request), registry.shared_fields(task)
    texts = [name for name, kind in kinds.items() if kind == "text"]
    own = [name for name in task.Request.model_fields if name not in shared]
    annotations: dict[str, tuple[Any, object]] = {name: _parameter(task, name) for name in own}
    annotations |= {f"{name}_file": (Annotated[str | None, file_option(name)], None) for name in texts}
    annotations["output"] = Annotated[str, OUTPUT], Parameter.empty
    annotations |= {name: _parameter(task, name) for name in shared}
    annotations["model"], annotations["json"] = (ModelOption, None), (JsonOption, False)
    command.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            Parameter(name, Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
            for name, (annotation, default) in annotations.items()
        ]
    )
    command.__annotations__ = {name: annotation for name, (annotation, _) in annotations.items()}
    command.__doc__ = f"{task.summary[0].upper()}{task.summary[1:]}."
    return command


OUTPUT = typer.Option(
    "--output", "-o", metavar="FILE",
    help="file to write; its suffix gives the format (.wav .flac .opus .mp3 .aac .pcm); - is standard output",
)  # fmt: skip
METAVARS = {"audio": "FILE", "voice": "VOICE", "text": "TEXT", "language": "|".join(LANGUAGES)}


def _parameter(task: AnyTask, name: str) -> tuple[Any, object]:
    """One field of the request as a parameter of the command: annotation and default. A text may come from a file, too.

    What is not given is None, or False, so that the request knows it.
    """
    fields = task.Request.model_fields
    info, type_ = fields[name], _plain_type(fields[name].annotation)
    kind = registry.field_kinds(task.Request).get(name, "")
    required = info.is_required() and kind != "text"
    if type_ is not bool and not required:
        type_ = type_ | None
    default = Parameter.empty if required else info.default if type_ is bool else None
    shown = type_ is bool or (False if info.is_required() or info.default is None else str(info.default))
    if name == next(field for field, its in fields.items() if its.is_required()):
        help = f"{info.description}; - reads standard input" if kind == "text" else info.description
        return Annotated[type_, typer.Argument(metavar=METAVARS.get(kind), help=help)], default
    metavar = METAVARS.get(kind) or "|".join(_choices(info.annotation)) or None
    flag = "--" + name.replace("_", "-")
    option = typer.Option(flag, metavar=metavar, help=info.description, show_default=shown)
    return Annotated[type_, option], default


def _choices(annotation: Any) -> tuple[str, ...]:
    """The values of a Literal, also within an optional or annotated type."""
    if typing.get_origin(annotation) is typing.Literal:
        return typing.get_args(annotation)
    return next(filter(None, map(_choices, typing.get_args(annotation))), ())


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
    for name, kind in registry.audio_fields(task).items():
        if (source := fields.get(name)) is not None:
            fields[name] = (given_voice if kind == "voice" else given_audio)(source, name)
    if output == "-" and as_json:
        raise InputError(
            "json: standard output cannot take both the sound and the JSON; name a file with -o", field="json"
        )
    with Heartbeat(task.name) as beat:
        sx = load(model)
        chunks = _watched(sx.pipeline.stream(sx.pipeline.job(task.name, **fields)), beat)
        if output == "-":
            whole = format == "flac" and not fields.get("stream")  # its header holds the length
            info = _whole_to_stdout(chunks, format) if whole else _to_stdout(chunks, format)
            warn(info.get("warning"))
            return say(_summary("standard output", info))
        speech: Speech = collect(chunks)
        speech.save(output, format)
    warn(speech.info.get("warning"))
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
    return wanted or writing.format_of(check_output(output))


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


def _whole_to_stdout(chunks: Iterable[Chunk], format: str) -> Info:
    from speechx.pipeline.result import collect

    speech = collect(chunks)
    sys.stdout.buffer.write(speech.encode(format))
    sys.stdout.buffer.flush()
    return speech.info


def _summary(output: str, info: Info) -> str:
    return (
        f"{output}: {info['audio_seconds']:.2f} s, made in {info['seconds']:.2f} s "
        f"(RTF {info['rtf'] or 0:.2f}, first audio {info.get('first_audio_seconds', 0):.2f} s), seed {info['seed']}"
    )

"""`speechx adapters list|info|add|merge|remove`: adapters of the language model, one for each voice at most."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speechx.cli.console import JsonOption, ModelOption, output_option, put_json, say, warn
from speechx.errors import InputError, did_you_mean
from speechx.task.voices import Voice, VoiceStore

if TYPE_CHECKING:
    from speechx.models.adapter_file import AdapterInfo

app = typer.Typer(help="List, inspect and move adapters of voices.", no_args_is_help=True)

VoiceId = Annotated[str, typer.Argument(help="id of an enrolled voice")]
AdapterFile = Annotated[Path, typer.Argument(metavar="FILE", help="adapter made by `speechx adapt`")]


@app.command("list")
def list_adapters(json: JsonOption = False) -> None:
    """The enrolled voices that have an adapter."""
    store = VoiceStore()
    found: list[tuple[Voice, AdapterInfo]] = []
    for voice in [voice for voice in store.list() if voice.adapter]:
        try:
            kept = store.adapter(voice.id)
        except InputError as error:  # damaged, or it reads a language in another way than one before it
            warn(f"voice {voice.id}: {error}")
            continue
        if kept is not None:
            found.append((voice, kept[0]))
    if json:
        put_json([{"voice": voice.id, "hash": voice.adapter, **about.to_dict()} for voice, about in found])
        return
    for voice, about in found:
        languages = ", ".join(about.languages) or "all"
        typer.echo(f"{voice.id:24}{voice.adapter}  {languages}  language model {about.base}")
    if not found:
        say("no voice has an adapter; `speechx adapt` makes one")


@app.command()
def info(file: AdapterFile) -> None:
    """What an adapter was made of, as JSON."""
    from speechx.models.adapter_file import adapter_hash, read_adapter

    data = _read(file)
    put_json({**read_adapter(data)[0].to_dict(), "hash": adapter_hash(data), "bytes": len(data)})


@app.command()
def add(file: AdapterFile, voice_id: VoiceId, model: ModelOption = None) -> None:
    """Give an enrolled voice an adapter of this model."""
    from speechx.models.adapter_file import read_adapter

    data = _read(file)
    _check_base(read_adapter(data)[0].base, model)
    try:
        voice = VoiceStore().set_adapter(voice_id, data)
    except KeyError:
        raise _not_enrolled(voice_id) from None
    say(f"voice {voice.id}: adapter {voice.adapter}")


@app.command()
def merge(
    file: AdapterFile,
    output: Annotated[Path, output_option("model folder to write")],
    model: ModelOption = None,
) -> None:
    """Write a model folder that speaks with an adapter, whatever the voice."""
    from speechx.models.adapter_file import read_adapter
    from speechx.models.lm.folder import add_voice_adapter
    from speechx.pipeline.loading import model_folder

    data = _read(file)
    described = read_adapter(data)[0]
    _check_base(described.base, model)
    if output.exists():
        raise InputError(f"output: {output} exists; choose another folder", field="output")
    made = output.with_name(f".{output.name}.tmp")
    shutil.rmtree(made, ignore_errors=True)
    shutil.copytree(model_folder(model), made)
    add_voice_adapter(made / "lm", described.name, data)
    made.rename(output)
    say(f"model -> {output}")


@app.command()
def remove(voice_id: VoiceId) -> None:
    """Take the adapter of a voice away; the voice stays."""
    store = VoiceStore()
    try:
        if not store.get(voice_id).adapter:
            raise InputError(f"voice {voice_id!r} has no adapter", field="voice")
        store.set_adapter(voice_id, None)
    except KeyError:
        raise _not_enrolled(voice_id) from None


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"adapter: {file} cannot be read: {error.strerror}", field="adapter") from error


def _check_base(base: str, model: Path | None) -> None:
    """Raises InputError where an adapter is of another language model."""
    from speechx.models.lm.folder import LM_FOLDER
    from speechx.pipeline.loading import model_folder

    own = LM_FOLDER.weights_hash(model_folder(model) / "lm")
    if base != own:
        raise InputError(
            f"adapter: it was made for language model {base}, and this one is {own}", field="adapter"
        )


def _not_enrolled(voice_id: str) -> InputError:
    ids = [voice.id for voice in VoiceStore().list() if not voice.builtin]
    return InputError(f"voice {voice_id!r} is not enrolled{did_you_mean(voice_id, ids)}", field="voice")

"""`speechx voices list|add|remove`: voices by id."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from speechx.audio.reading import SAMPLE_RATE
from speechx.cli.console import JsonOption, ModelOption, plain_language, put_json, say, warn
from speechx.errors import InputError, did_you_mean
from speechx.task.voices import VoiceStore
from speechx.text.languages import LANGUAGES, check_language, is_language_code

app = typer.Typer(help="List, enroll and forget voices.", no_args_is_help=True)

VoiceId = Annotated[str, typer.Argument(help="id of the voice: a-z, 0-9, - and _")]


@app.command("list")
def list_voices(json: JsonOption = False) -> None:
    """The voices that --voice and --enrollment know by id."""
    voices = VoiceStore().list()
    if json:
        put_json([asdict(v) for v in voices])
        return
    for voice in voices:
        typer.echo(
            f"{voice.id:24}{voice.language}  {voice.seconds:5.1f} s  {'built in' if voice.builtin else voice.name}"
        )


@app.command()
def add(
    audio: Annotated[str, typer.Argument(metavar="FILE", help="2-30 s of the speaker")],
    voice_id: VoiceId,
    consent: Annotated[
        bool, typer.Option("--consent", help="the speaker agreed to have this voice cloned")
    ] = False,
    language: Annotated[
        str,
        typer.Option(
            metavar="CODE",
            callback=plain_language,
            help=f"language of the recording: {', '.join(LANGUAGES)}, or another",
        ),
    ] = "en",
    name: Annotated[str | None, typer.Option(help="name for people (default: the id)")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace a voice of this id")] = False,
    model: ModelOption = None,
) -> None:
    """Enroll a voice of a speaker who agreed to it."""
    from speechx.pipeline.loading import load_front

    if not is_language_code(language):
        check_language(language)
    if not consent:
        raise InputError(
            "consent: --consent is missing; give it where the speaker agreed to have this voice cloned",
            field="consent",
        )
    store = VoiceStore()
    voice = store.enroll(audio, voice_id, name=name, language=language, consent=consent, overwrite=overwrite)
    say(f"voice {voice.id}: {voice.seconds:.1f} s")
    recording = store.wav(voice.id), SAMPLE_RATE
    warn(load_front(model).voice_warning(recording, "audio"))


@app.command()
def remove(voice_id: VoiceId) -> None:
    """Forget an enrolled voice, its recording too."""
    try:
        VoiceStore().remove(voice_id)
    except KeyError:
        hint = did_you_mean(voice_id, [v.id for v in VoiceStore().list() if not v.builtin])
        raise InputError(f"voice {voice_id!r} is not enrolled{hint}", field="voice") from None

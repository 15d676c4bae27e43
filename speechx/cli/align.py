"""`speechx align`: when each word of a text is spoken in a recording."""

from __future__ import annotations

from typing import Annotated

import typer

from speechx.cli.console import JsonOption, ModelOption, put_json


def align(
    audio: Annotated[str, typer.Argument(help="the recording")],
    text: Annotated[str, typer.Option(help="its transcript")],
    language: Annotated[str, typer.Option(help="language of the text")] = "en",
    model: ModelOption = None,
    json: JsonOption = False,
) -> None:
    """Find the time of each word of a text in a recording."""
    from speechx.pipeline.loading import load_front

    found = load_front(model).align_text(audio, text, language)
    if json:
        put_json({"words": [w.as_dict() for w in found.words], "score": round(found.score, 4)})
        return
    for word in found.words:
        typer.echo(f"{word.start:.2f}\t{word.end:.2f}\t{word.text}")

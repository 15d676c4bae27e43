"""`speechx align`: when each word of a text is spoken in a recording."""

from __future__ import annotations

from typing import Annotated

import typer

from speechx.cli.console import JsonOption, LanguageOption, ModelOption, put_json
from speechx.cli.inputs import file_option, given_audio, given_text
from speechx.cli.languages import known_language


def align(
    audio: Annotated[str, typer.Argument(metavar="FILE", help="the recording")],
    text: Annotated[str | None, typer.Option(metavar="TEXT", help="its transcript")] = None,
    text_file: Annotated[str | None, file_option("text")] = None,
    language: LanguageOption = "en",
    model: ModelOption = None,
    json: JsonOption = False,
) -> None:
    """Find the time of each word of a text in a recording."""
    from speechx.pipeline.loading import load_front
    from speechx.text import check_text

    text = given_text(text, text_file)
    known_language(language, model)
    check_text(text, language)
    given = given_audio(audio)
    found = load_front(model).align_text(given, text, language)
    if json:
        put_json({"words": [w.as_dict() for w in found.words], "score": round(found.score, 4)})
        return
    for word in found.words:
        typer.echo(f"{word.start:.2f}\t{word.end:.2f}\t{word.text}")

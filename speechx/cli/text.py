"""`speechx text`: the spoken words and the phones of a text."""

from __future__ import annotations

from typing import Annotated

import typer

from speechx.cli.console import JsonOption, put_json


def text(
    text: Annotated[str, typer.Argument(help="the text")],
    language: Annotated[str, typer.Option(help="language of the text")] = "en",
    json: JsonOption = False,
) -> None:
    """Print how a text is read: the spoken words of each sentence, then its phones."""
    from speechx.text import TextFrontend, check_text, say, split_sentences

    check_text(text, language)
    frontend = TextFrontend()
    rows: list[dict[str, str]] = []
    for sentence in split_sentences(text, language):
        if said := say(sentence, language):
            phones = " ".join(frontend(sentence, language).phones)
            rows.append({"text": sentence, "said": " ".join(said), "phones": phones})
    if json:
        put_json({"language": language, "sentences": rows})
        return
    for row in rows:
        typer.echo(f"{row['said']}\n  {row['phones']}")

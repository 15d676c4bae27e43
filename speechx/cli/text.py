"""`speechx text`: the spoken words and the phones of a text."""

from __future__ import annotations

from typing import Annotated

import typer

from speechx.cli.console import JsonOption, LanguageOption, ModelOption, put_json, warn
from speechx.cli.inputs import file_option, given_text
from speechx.cli.languages import PhonesOption, known_language


def text(
    text: Annotated[
        str | None, typer.Argument(metavar="TEXT", help="the text; - reads standard input")
    ] = None,
    text_file: Annotated[str | None, file_option("text")] = None,
    language: LanguageOption = "en",
    phones: PhonesOption = None,
    model: ModelOption = None,
    json: JsonOption = False,
) -> None:
    """Print how a text is read: the spoken words of each sentence, then its phones."""
    from speechx.text import TextFrontend, check_text, say, split_sentences, text_warning

    text = given_text(text, text_file)
    known_language(language, model, phones)
    check_text(text, language)
    frontend = TextFrontend()
    rows: list[dict[str, str]] = []
    for sentence in split_sentences(text, language):
        if said := say(sentence, language):
            read = " ".join(frontend(sentence, language).phones)
            rows.append({"text": sentence, "said": " ".join(said), "phones": read})
    warn(text_warning(text, language))
    if json:
        put_json({"language": language, "sentences": rows})
        return
    for row in rows:
        typer.echo(f"{row['said']}\n  {row['phones']}")

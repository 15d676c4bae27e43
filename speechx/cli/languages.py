"""Languages of the command line: those of a model folder, and one that an option adds."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from speechx.errors import InputError
from speechx.files import read_text
from speechx.text.languages import (
    LANGUAGES,
    AddedLanguage,
    add_language,
    added_language,
    check_language,
    is_language_code,
)

__all__ = ["PhonesOption", "keep_language", "kept_language", "known_language"]

LARGEST_RULES = 200_000
KEPT = "language.json"

PhonesOption = Annotated[
    str | None,
    typer.Option(
        "--phones",
        metavar="espeak|FILE",
        help="adds any other language, by how it is read: espeak, espeak:VOICE, or a YAML file of spelling rules",
    ),
]


def known_language(language: str, model: Path | None, phones: str | None = None) -> None:
    """Makes a language known that has rules of its own, that the model folder has, or that is read by `phones`.

    Raises InputError, field `language` or `phones`, for any other, and for a reading that cannot be used.
    """
    if language in LANGUAGES:
        if phones is not None:
            raise InputError(f"phones: language {language!r} has rules of its own", field="phones")
        return
    from speechx.pipeline.loading import learn_languages
    from speechx.text.g2p import read_by

    learn_languages(model)
    if phones is None:
        if added_language(language) is None and is_language_code(language):
            raise InputError(
                f"language {language!r} has no rules of its own: name a model that has it, or how its texts are read "
                "(--phones espeak or --phones FILE)",
                field="language",
            )
        check_language(language)
        return
    if not is_language_code(language):
        raise InputError(
            f"language {language!r} is no code of a language: give its two letters of ISO 639-1",
            field="language",
        )
    chosen = _chosen(language, phones)
    read_by(chosen)
    add_language(chosen)


def keep_language(language: str, folder: Path) -> None:
    """Writes how an added language is read, for `kept_language` after an interruption."""
    if (added := added_language(language)) is not None:
        (folder / KEPT).write_text(json.dumps(asdict(added)), "utf-8")


def kept_language(folder: Path) -> None:
    """Makes the language known that `keep_language` kept in a folder, if any."""
    if (folder / KEPT).is_file():
        add_language(AddedLanguage(**json.loads((folder / KEPT).read_text("utf-8"))))


def _chosen(language: str, phones: str) -> AddedLanguage:
    engine, _, voice = phones.partition(":")
    if engine == "espeak":
        return AddedLanguage(language, espeak=voice or language)
    try:
        size = Path(phones).stat().st_size
    except OSError as error:
        raise InputError(
            f"phones: {phones} is neither espeak nor a file that can be read: {error.strerror}",
            field="phones",
        ) from error
    if size > LARGEST_RULES:
        raise InputError(
            f"phones: {phones} has {size:,} bytes; the limit is {LARGEST_RULES:,}", field="phones"
        )
    text = read_text(phones, "phones")
    if not text.strip():
        raise InputError(f"phones: {phones} is empty", field="phones")
    return AddedLanguage(language, rules=text)

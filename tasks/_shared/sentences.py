"""Long text: sentence by sentence, in one voice, with a short pause between."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from speechx.errors import InputError
from speechx.task.plan import GeneratedPart, Part, Plan, ReadyPart
from speechx.tasks._shared.notes import notes
from speechx.text import text_warning

if TYPE_CHECKING:
    from speechx.task.frontend import Frontend
    from speechx.task.task import AnyTask
    from speechx.text import PhoneSequence

PAUSE_SECONDS = 0.12
"""Added to the silences that sentences start and end with."""

LONGEST_PAUSE = 0.55
"""Seconds. The model often leaves more than a second between two sentences."""

LATIN = re.compile(r"[0-9A-Za-zÀ-ɏ]")


def sentence_plan(task: AnyTask, req: Any, frontend: Frontend) -> Plan:
    """One part per sentence of `req.text`, each with a prompt of its own. Lazy, for early first audio."""
    sentences = frontend.sentences(req.text, req.language)
    if not sentences:
        raise InputError("text has nothing to speak", field="text")
    for sentence in sentences:
        _check_sentence(sentence, req.language, frontend)

    def part(sentence: str) -> GeneratedPart:
        one = req.model_copy(update={"text": sentence})
        speech = phones_to_say(sentence, req.language, frontend)
        return GeneratedPart(task.prompt(one, frontend), speech.words, speech=speech)

    first = part(sentences[0])  # a fault of the voice is an error before any audio

    def parts() -> Iterator[Part]:
        yield first
        for sentence in sentences[1:]:
            yield ReadyPart(np.zeros(round(PAUSE_SECONDS * frontend.sample_rate), np.float32))
            yield part(sentence)

    return Plan(
        parts(),
        frontend.sample_rate,
        longest_pause=LONGEST_PAUSE,
        voice_T=None if frontend.speaker is None else frontend.trimmed_voice(req.voice),
        notes=notes(frontend.voice_warning(req.voice), text_warning(req.text, req.language)),
    )


def phones_to_say(text: str, language: str, frontend: Frontend) -> PhoneSequence:
    """The phones of `text`, with a full stop where it ends without a pause: speech was cut off there."""
    return frontend.phones(text, language).closed()


def _check_sentence(sentence: str, language: str, frontend: Frontend) -> None:
    """Raises InputError, before any audio, for a sentence that cannot be said. One with a Latin letter or digit can be."""
    if LATIN.search(sentence):
        return
    try:
        frontend.phones(sentence, language)
    except InputError as error:
        raise InputError(
            f"text: {sentence[:40]!r} has nothing that can be said in language {language!r}", field="text"
        ) from error

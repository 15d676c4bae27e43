"""Which words of a try were understood, and where they are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eval.measures.base import About, Transcript
from eval.prefer import prefer, right_words, spans_of
from speechx.data.shards import Shards
from speechx.data.tries import make_tries
from speechx.text import TextFrontend


@pytest.fixture(scope="module")
def text() -> TextFrontend:
    return TextFrontend()


@pytest.mark.parametrize(
    ("said", "heard", "right"),
    [
        ("the cat sat", "the cat sat", [True, True, True]),
        ("The cat sat.", "the bat sat", [True, False, True]),
        ("the cat sat", "", [False, False, False]),
        ("the cat sat", "the cat has sat there", [True, True, True]),
        ("we won't stay", "we will not stay", [True, True, True]),
        ("we won't stay", "we will stay", [True, False, True]),
    ],
)
def test_words_that_were_understood(text: TextFrontend, said: str, heard: str, right: list[bool]) -> None:
    assert right_words(text(said, "en"), said, heard) == right


def test_words_that_cannot_be_told_apart(text: TextFrontend) -> None:
    said = "twenty one cats"  # "21 cats" after normalization
    assert right_words(text(said, "en"), said, "twenty one cats") is None


def test_where_words_are(text: TextFrontend) -> None:
    speech = text("a cat", "en")
    pointer_F = np.repeat(np.arange(len(speech.ids)), 2)
    (a, b), (c, d) = spans_of(speech, pointer_F)
    assert (a, d) == (2 * speech.words[0].start, 2 * speech.words[1].stop) and a < b <= c < d


class Deaf:
    """A recognizer that misses the first word of every second sound."""

    about = About("deaf", "tests", "1", "0" * 16)

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts, self.heard = texts, 0

    def transcribe(self, wavs: Sequence[np.ndarray], languages: Sequence[str]) -> list[Transcript]:
        said = []
        for _ in wavs:
            text = self.texts[self.heard]
            said.append(Transcript(text if self.heard % 2 else text.partition(" ")[2]))
            self.heard += 1
        return said


def test_groups_with_a_word_said_both_ways(pack: Path, pipeline: Any, tmp_path: Path) -> None:
    front = pipeline.front
    make_tries(pack, pipeline, tmp_path / "tries", count=4, each=2)
    rows = [json.loads(line) for line in (tmp_path / "tries/tts-train-1.jsonl").read_text().splitlines()]
    deaf = Deaf([row["text"] for row in rows])
    found = prefer([tmp_path / "tries"], tmp_path / "out", deaf, decode=front.decode, phones=front.phones)
    words = [json.loads(line) for line in (tmp_path / "out/words.jsonl").read_text().splitlines()]
    assert found.tries == len(words) == len(Shards([tmp_path / "out"])) and found.tries % 2 == 0
    assert found.words == found.groups and 0 < found.errors < 0.5
    for pair, row in zip(Shards([tmp_path / "out"]), words, strict=True):
        assert len(row["spans"]) == len(row["right"]) and row["spans"][-1][1] <= len(pair.target_FK)
        assert row["right"][1:] == [True] * (len(row["right"]) - 1)
    again = prefer([tmp_path / "tries"], tmp_path / "again", deaf, decode=front.decode, phones=front.phones)
    assert again == found and deaf.heard == len(rows), "nothing is heard twice"

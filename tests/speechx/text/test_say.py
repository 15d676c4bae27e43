"""`say`: ordinary sentences that must stay right (guard.jsonl), forms that were read wrongly once (cases.jsonl)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from speechx.cli.main import main
from speechx.text import say


def rows(name: str) -> list[dict[str, Any]]:
    lines = Path(__file__).with_name(name).read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


@pytest.mark.parametrize("row", rows("guard.jsonl"), ids=lambda row: f"{row['language']}: {row['text']}")
def test_ordinary_sentences_stay_right(row: dict[str, Any]) -> None:
    assert say(row["text"], row["language"]) == row["said"]


@pytest.mark.parametrize("row", rows("cases.jsonl"), ids=lambda row: f"{row['kind']}: {row['text']}")
def test_written_forms(row: dict[str, Any]) -> None:
    """right: the accepted readings, or how many sentences the text has."""
    said = say(row["text"], row["language"])
    right = row["right"]
    assert len(said) == right["pieces"] if isinstance(right, dict) else " ".join(said) in right


def test_the_command_prints_words_and_phones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["text", "It costs $5. Dr. Lee paid.", "--language", "en", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [row["said"] for row in shown["sentences"]] == ["it costs five dollars", "doctor lee paid"]
    assert shown["sentences"][0]["phones"].startswith("_ ɪ t k ˈɔ s t s f")
    assert main(["text", "Hallo Welt.", "--language", "de"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "hallo welt"
    assert main(["text", "", "--language", "de"]) == 2

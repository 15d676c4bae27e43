"""`say`: ordinary sentences that must stay right (guard.jsonl), forms that were read wrongly once (cases.jsonl)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from speechx.cli.main import main
from speechx.errors import InputError
from speechx.text import TextFrontend, say, text_warning, unsaid_words
from speechx.text.normalize import clean

FRONTEND = TextFrontend()


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


@pytest.mark.parametrize("row", [*rows("guard.jsonl"), *rows("cases.jsonl")], ids=lambda row: row["text"])
def test_words_keep_what_was_written(row: dict[str, Any]) -> None:
    """Word spans follow each other, and the words stand in the text in their order (compatibility characters aside)."""
    phones = FRONTEND(row["text"], row["language"])
    stop, at = 1, 0
    written = clean(row["text"]).replace("&amp;", "&")
    for word in phones.words:
        assert stop <= word.start < word.stop
        stop = word.stop
        at = written.index(word.text, at) + len(word.text)


def test_a_break_is_a_pause_and_tags_are_silent() -> None:
    plain = FRONTEND("Hello, world.", "en").phones
    assert FRONTEND('<speak>Hello <break time="500ms"/> world.</speak>', "en").phones == plain
    assert say("<speak>\n<p>One.</p>\n<p>Two.</p>\n</speak>", "en") == ["one", "two"]
    assert say("# Title\n\n- [a link](https://a.org)\n- **bold**", "en") == ["title", "a link", "bold"]


def test_an_unknown_language_is_named() -> None:
    with pytest.raises(InputError, match="choose one of"):
        say("Hello", "xx")


def test_the_command_prints_words_and_phones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["text", "It costs $5. Dr. Lee paid.", "--language", "en", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [row["said"] for row in shown["sentences"]] == ["it costs five dollars", "doctor lee paid"]
    assert shown["sentences"][0]["phones"].startswith("_ ɪ t k ˈɔ s t s f")
    assert main(["text", "Hallo Welt.", "--language", "de"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "hallo welt"
    assert main(["text", "", "--language", "de"]) == 2


def test_words_of_another_script_are_named() -> None:
    assert unsaid_words("Hello 你好, abb一样 and α, 5 µm, 5 Ω, ﬁne.", "en") == ["你好", "abb一样"]
    assert unsaid_words("Grüße, ça va, Łódź, naïve, 1º, ½.", "de") == []
    assert text_warning("Привет Anna, ты и я, да.", "en") == (
        "the text has letters that cannot be said in language 'en' and are left out: 'Привет', 'ты', 'и' and 2 more"
    )
    assert text_warning("Hello.", "en") is text_warning(None, "en") is None


def test_the_command_warns_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["text", "Hello 你好."]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("hello 你好") and "warning: the text has letters" in err and "'你好'" in err

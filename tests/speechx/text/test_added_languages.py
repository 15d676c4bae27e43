"""Languages that a model or an adapter adds: nothing in them is read as another language would."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from speechx.errors import InputError
from speechx.text import TextFrontend, say, split_sentences, text_warning
from speechx.text.g2p.report import reading_report
from speechx.text.languages import (
    LANGUAGES,
    MAX_LANGUAGES,
    AddedLanguage,
    add_language,
    is_language_code,
    known_languages,
    language_at,
    language_code,
    language_index,
)

pytestmark = pytest.mark.usefixtures("no_added_languages")
RULES = AddedLanguage("fy", rules="phones:\n  a: a\n  n: n\n  t: t\nwords:\n  '2': t a\n")
needs_espeak = pytest.mark.skipif(find_spec("espeakng_loader") is None, reason="needs the extra espeak")


def test_a_language_gets_the_next_token() -> None:
    assert not is_language_code("xx") and not is_language_code("eng") and is_language_code("fy")
    add_language(RULES)
    add_language(RULES)
    assert known_languages() == (*LANGUAGES, "fy") and language_at(language_index("fy")) == "fy"
    with pytest.raises(InputError, match=r"read by espeak .fy. here, and by other rules in a model or voice"):
        add_language(AddedLanguage("fy", espeak="fy"))
    for n in range(MAX_LANGUAGES - len(LANGUAGES) - 1):
        add_language(AddedLanguage(f"q{chr(97 + n // 20)}{chr(97 + n % 20)}", espeak="nl"))
    with pytest.raises(InputError, match="no room for more"):
        add_language(AddedLanguage("nl", espeak="nl"))


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("FR", "fr"),
        ("fr-FR", "fr"),
        ("pt_BR", "pt"),
        (" en ", "en"),
        ("NLD", "nld"),
        ("English", "English"),
        ("xx", "xx"),
        ("", ""),
    ],
)
def test_a_code_in_any_case_with_its_region(given: str, code: str) -> None:
    assert language_code(given) == code


@pytest.mark.parametrize(("code", "more"), [("en", {"espeak": "en"}), ("xx", {"espeak": "xx"}), ("fy", {})])
def test_what_cannot_be_added(code: str, more: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="language"):
        AddedLanguage(code, **more)


def test_rules_read_a_text_and_refuse_digits_and_signs() -> None:
    add_language(RULES)
    frontend = TextFrontend()
    speech = frontend("An, “tat” - na 2!", "fy")
    assert " ".join(speech.phones) == "_ a n , t a t , n a t a ! _"
    assert [word.text for word in speech.words] == ["An", "tat", "na", "2"]
    for text in ("Na 3", "Na 20%", "Na & na", "na2a"):
        with pytest.raises(InputError, match=r"cannot be read in language 'fy'.*write it in words"):
            frontend(text, "fy")
    assert "left out: 'qat'" in (text_warning("na qat", "fy") or "") and text_warning("na tat", "fy") is None
    with pytest.raises(InputError, match="nothing that can be said"):
        frontend("qqq", "fy")


def test_sentences_of_a_language_without_tables() -> None:
    assert split_sentences("Na tat. An na?", "nl") == ["Na tat.", "An na?"]
    add_language(RULES)
    assert say("Na tat. An na?", "fy") == ["Na tat", "An na"]


def test_what_is_left_out_is_reported_before_training() -> None:
    add_language(RULES)
    assert reading_report(["na qat", "qa an"], "fy") == ["left out: 'q' in 2 words, as in 'qat'"]
    assert reading_report(["Hello"], "en") == []


@needs_espeak
def test_espeak_reads_numbers_and_signs_in_the_language() -> None:
    add_language(AddedLanguage("nl", espeak="nl"))
    speech = TextFrontend()("Goedemorgen: 21 & 5%!", "nl")
    words = {word.text: " ".join(speech.phones[word.start : word.stop]) for word in speech.words}
    assert list(words) == ["Goedemorgen", "21", "&", "5%"]
    assert words["21"].startswith("ˈeː n ɛ n t v") and words["&"] == "ˈɛ n" and "p r oː s" in words["5%"]


@needs_espeak
def test_espeak_symbols_without_a_phone_are_named() -> None:
    add_language(AddedLanguage("zh", espeak="cmn"))
    assert "left out: '你好'" in (text_warning("你好", "zh") or "")
    report = reading_report(["你好 世界"], "zh")
    assert "left out: '2' in 1 words, as in '你好'" in report and "tɕ as tʃ" in report[-1]
    add_language(AddedLanguage("sv", espeak="sv"))
    assert "ʉ as y" in reading_report(["sjuk"], "sv")[-1]


@needs_espeak
def test_a_voice_that_espeak_lacks() -> None:
    add_language(AddedLanguage("zu", espeak="zu"))
    with pytest.raises(InputError, match="no voice 'zu'"):
        TextFrontend()("sawubona", "zu")


def test_without_espeak_one_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from speechx.text.g2p import espeak

    def missing() -> None:
        raise ModuleNotFoundError("No module named 'espeakng_loader'", name="espeakng_loader")

    monkeypatch.setattr(espeak, "espeak_library", missing)
    add_language(AddedLanguage("da", espeak="da"))
    with pytest.raises(InputError, match=r"pip install 'speechx\[espeak\]'") as error:
        TextFrontend()("hej", "da")
    assert error.value.field == "language"

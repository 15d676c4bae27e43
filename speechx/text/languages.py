"""The languages: their codes, in the order of the model's language tokens. The only list of them in the product.

Six have rules of their own. A model folder or an adapter may add others (`AddedLanguage`), which the process knows from when
it has read that file: `add_language`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from speechx.errors import InputError, nearest

__all__ = [
    "LANGUAGES", "MAX_LANGUAGES", "AddedLanguage", "add_language", "added_language", "check_language", "is_language_code",
    "known_languages", "language_at", "language_code", "language_index", "primary_subtag", "unsupported",
]  # fmt: skip

LANGUAGES = ("en", "es", "fr", "de", "it", "pt")
"""Append only: the index of a language is part of trained weights and of training data on disk."""

MAX_LANGUAGES = 32
"""Language tokens of the vocabulary."""

_NAMES = {
    "en": "english eng", "es": "spanish español castellano spa", "fr": "french français fra fre",
    "de": "german deutsch deu ger", "it": "italian italiano ita", "pt": "portuguese português brazilian por",
}  # fmt: skip
"""What people call the languages: understood in messages, not accepted."""

_ISO_639_1 = frozenset(
    "aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo es et "
    "eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk "
    "kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny "
    "oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti tk "
    "tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu".split()
)


@dataclass(frozen=True)
class AddedLanguage:
    """A language without rules of its own, and how its texts are read.

    espeak: the voice of espeak-ng that reads it, or "". rules: text of a rules file (speechx.text.g2p.rules), or "".
    """

    code: str
    espeak: str = ""
    rules: str = ""

    def __post_init__(self) -> None:
        if not is_language_code(self.code) or self.code in LANGUAGES:
            raise ValueError(
                f"language {self.code!r} cannot be added: it is no code, or has rules of its own"
            )
        if bool(self.espeak) == bool(self.rules):
            raise ValueError(f"language {self.code!r} is read either by espeak or by rules")

    @property
    def reader(self) -> str:
        """For messages."""
        return f"espeak ({self.espeak})" if self.espeak else "rules"


_added: dict[str, AddedLanguage] = {}


def add_language(language: AddedLanguage) -> None:
    """Makes a language known to this process. Raises InputError where it is known with another reading, or none is free."""
    known = _added.get(language.code)
    if known is not None and known != language:
        raise InputError(
            f"language {language.code!r} is read by {language.reader} here, and by other {known.reader} in a model or voice "
            "that is loaded already: one process can read it in one way",
            field="language",
        )
    if known is None and len(LANGUAGES) + len(_added) >= MAX_LANGUAGES:
        raise InputError(
            f"language {language.code!r}: {len(_added)} other languages were added, and there is no room for more",
            field="language",
        )
    _added[language.code] = language


def added_language(code: str) -> AddedLanguage | None:
    """How the texts of an added language are read; None for any other."""
    return _added.get(code)


def known_languages() -> tuple[str, ...]:
    """The languages with rules of their own, then those that were added, in the order of their tokens."""
    return (*LANGUAGES, *_added)


def language_index(code: str) -> int:
    """Number of the language's token. Raises ValueError for a language that is not known."""
    if code not in known_languages():
        raise ValueError(f"language {unsupported(code)}")
    return known_languages().index(code)


def language_at(index: int) -> str:
    """The inverse of `language_index`. Raises IndexError."""
    return known_languages()[index]


def is_language_code(code: str) -> bool:
    """Whether a string is a two-letter code of ISO 639-1, or has the form of a three-letter one."""
    named = {name for names in _NAMES.values() for name in names.split()}
    return code in _ISO_639_1 or (re.fullmatch("[a-z]{3}", code) is not None and code not in named)


def language_code(given: str) -> str:
    """The code in any case, without its region: FR, fr-FR, fr_CA are fr. What has none is returned as it is."""
    code = primary_subtag(given)
    return code if is_language_code(code) else given


def primary_subtag(tag: str) -> str:
    """The part of a language tag before its region, in lower case: eng-US is eng, English is english."""
    return tag.strip().lower().replace("_", "-").partition("-")[0]


def check_language(language: str) -> None:
    """Raise InputError, field "language", for a language that is not known."""
    if language not in known_languages():
        raise InputError(f"language {unsupported(language)}", field="language")


def unsupported(language: str, supported: tuple[str, ...] | None = None) -> str:
    """The message about an unsupported language: the supported ones, and the code that was probably meant."""
    supported = known_languages() if supported is None else supported
    codes = {name: code for code in supported for name in (code, *_NAMES.get(code, "").split())}
    near = nearest(language.strip(), codes)
    hint = f"; did you mean {codes[near]!r}?" if near else ""
    return f"{language!r} is not supported; choose one of {', '.join(supported)}{hint}"

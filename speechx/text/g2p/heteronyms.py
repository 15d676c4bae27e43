"""English words whose reading the words beside them tell, where the tagger does not.

A word has a few readings with a condition each; the first that holds is taken, else the lexicon's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from speechx.text.g2p.base import Phones

__all__ = ["reading_by_neighbors"]

Tagger = Callable[[], Sequence[str]]
"""The Penn tags of the phrase, made when they are asked for."""

_DETERMINERS = frozenset(
    "the a an this that these those my your our his her its their no some any every each".split()
)
_SUBJECTS = frozenset("i he she it we they who".split())
_NOT_NOUNS = ("JJ", "DT", "PRP$", "CD", "VB", "IN")


@dataclass(frozen=True)
class Reading:
    """Phones (with spaces) that are right where all that is given holds.

    after, before: the word stands after, or before, one of these words. not_after: it does not stand after one of them.
    near: one of these words is in the phrase. after_noun: the tag of the word before is a noun's, a pronoun's or a name's.
    """

    phones: str
    after: frozenset[str] | None = None
    before: frozenset[str] | None = None
    not_after: frozenset[str] = frozenset()
    near: frozenset[str] | None = None
    after_noun: bool = False

    def holds(self, words: Sequence[str], i: int, tags: Tagger) -> bool:
        previous, following = words[i - 1] if i else "", words[i + 1] if i + 1 < len(words) else ""
        return (
            (self.after is None or previous in self.after)
            and (self.before is None or following in self.before)
            and previous not in self.not_after
            and (self.near is None or not self.near.isdisjoint(words))
            and not (self.after_noun and i and tags()[i - 1].startswith(_NOT_NOUNS))
        )


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_TEARING = _words(
    "up down apart off out into through at away open it them the a this that your my his her their"
)
_BOWING = _words("to before down out")
_DIVING = _words("in into under down off deep headfirst for through beneath")
_OBJECTS = _words("the it them this that these those your my his her our their up")
_READINGS: dict[str, tuple[Reading, ...]] = {
    "bass": (Reading("b ˈæ s", before=_words("fishing lake boat")),),
    "bow": (
        Reading("b ˈaʊ", before=_BOWING, not_after=_DETERMINERS),
        Reading("b ˈaʊ", before=_words("of"), after=_words("the her its")),  # of a ship
    ),
    "bows": (Reading("b ˈaʊ z", before=_BOWING, not_after=_DETERMINERS),),
    "dove": (
        Reading("d ˈoʊ v", before=_DIVING, not_after=_DETERMINERS),
        Reading("d ˈoʊ v", after=_SUBJECTS),
    ),
    "lead": (
        Reading(
            "l ˈɛ d",
            before=_words("pipe pipes paint poisoning acid bullet bullets crystal weight weights shot glass"),
        ),
    ),
    "lives": (
        Reading(
            "l ˈɪ v z",
            before=_words("in on at with near here there alone next"),
            not_after=_DETERMINERS,
            after_noun=True,
        ),
    ),
    "minute": (
        Reading(
            "m aɪ n ˈu t",
            before=_words(
                "detail details amount amounts quantity quantities particle particles trace traces dose doses"
            ),
        ),
    ),
    "polish": (
        Reading(
            "p ˈɑ l ɪ ʃ",
            after=_words("nail shoe boot furniture floor car silver will can should must"),
        ),
        Reading("p ˈɑ l ɪ ʃ", before=_OBJECTS, not_after=_DETERMINERS),
    ),
    "tear": (
        Reading("t ˈɪ ɹ", before=_words("gas drop drops duct ducts stained")),
        Reading("t ˈɪ ɹ", after=_DETERMINERS, near=_words("eye eyes cheek cheeks face")),
        Reading("t ˈɛ ɹ", after=_DETERMINERS, before=_words("in along")),  # of cloth
        Reading("t ˈɪ ɹ", after=_DETERMINERS | _words("single")),
    ),
    "tears": (
        Reading("t ˈɛ ɹ z", after=_words("he she it who which wear")),
        Reading(
            "t ˈɛ ɹ z", before=_TEARING, not_after=_DETERMINERS | _words("in into of with through and to no")
        ),
    ),
    "wind": (Reading("w ˈaɪ n d", before=_words("the up down it back them"), not_after=_DETERMINERS),),
}


def reading_by_neighbors(words: Sequence[str], i: int, tags: Tagger) -> Phones | None:
    """The phones of word i of a phrase, lower case; None where its neighbors do not tell. tags: asked for where they matter."""
    for reading in _READINGS.get(words[i], ()):
        if reading.holds(words, i, tags):
            return tuple(reading.phones.split())
    return None

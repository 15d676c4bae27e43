"""French: lexicon and letter to sound, with elision (l'ami) and the obligatory liaisons (les‿enfants)."""

from __future__ import annotations

from collections.abc import Sequence

from speechx.text.g2p.base import Phones, plain_letters
from speechx.text.g2p.lexicon import Lexicon, to_table
from speechx.text.phones import STRESS, VOWELS

# The consonant that a word lends to a vowel that follows it.
_LIAISON: dict[str, str] = {
    **dict.fromkeys(
        "les des ces mes tes ses nos vos aux nous vous ils elles très plus moins sans chez dans sous deux trois six dix "
        "gros quelques plusieurs leurs certaines certains autres quels quelles toutes vieux beaux bons mauvais suis "
        "es êtes avons sommes cents vingts".split(),
        "z",
    ),
    **dict.fromkeys("un mon ton son on en bien aucun rien".split(), "n"),
    **dict.fromkeys(
        "est sont ont petit grand tout quand cent vingt c'est n'est étaient était avait avaient fait comment "
        "peut doit dont huit sept haut".split(),
        "t",
    ),
    "neuf": "v",
}
# Words that the lexicon reads as abbreviations or in a rarer way.
_FIXED: dict[str, str] = {
    "ne": "n ə",
    "ce": "s ə",
    "mes": "m e",
    "ces": "s e",
    "gens": "ʒ ɑ̃",
    "traitement": "t ʁ ɛ t m ɑ̃",
}
# Numbers whose final consonant depends on the next word: (before a consonant, alone).
_FINAL_CONSONANT: dict[str, tuple[str, str]] = {
    "six": ("s i", "s i s"),
    "dix": ("d i", "d i s"),
    "huit": ("ɥ i", "ɥ i t"),
}
# An h that blocks liaison and elision, and a few vowels that do the same.
_BLOCKS = (
    "haine haïr halle halte hamac hamster hanche hand handicap hangar hanneton hanter happer harceler hardi harem "
    "hareng haricot harnais harpe hasard hâte hausse haut havre hérisson hernie héron héros hêtre heurt hibou hideu "
    "hiérarch hisser hobby hockey holland homard hong honte hoquet horde hors hot houle housse houx huée huit hululer "
    "hurl hussard hutte onz oui ouistiti ya yacht yaourt yoga yeti week"
).split()
_NOT_BLOCKING = ("héroïne", "héroïque", "héroïsme")
_ELIDED = {
    "l": "l", "d": "d", "j": "ʒ", "n": "n", "s": "s", "t": "t", "m": "m", "c": "s", "qu": "k", "jusqu": "ʒ y s k",
    "lorsqu": "l ɔ ʁ s k", "puisqu": "p ɥ i s k", "quelqu": "k ɛ l k", "presqu": "p ʁ ɛ s k", "quoiqu": "k w a k",
}  # fmt: skip


class FrenchG2P:
    """Phones of standard French, without stress marks: its stress falls on the end of the phrase."""

    def __init__(self) -> None:
        self._lexicon = Lexicon("fr")

    def knows(self, word: str) -> bool:
        return self._lexicon.find(word) is not None

    def __call__(self, words: Sequence[str]) -> list[Phones]:
        phones = [self._word(word) for word in words]
        for i, word in enumerate(words):
            last = i + 1 == len(words)
            if word in _FINAL_CONSONANT:
                before_consonant, alone = _FINAL_CONSONANT[word]
                phones[i] = tuple((alone if last else before_consonant).split())
            if not last and phones[i] and word in _LIAISON and _links(words[i + 1], phones[i + 1]):
                stem = phones[i][:-1] if word == "neuf" else phones[i]
                phones[i] = (*stem, _LIAISON[word])
        return phones

    def _word(self, word: str) -> Phones:
        if len(word) == 1 and word.isupper():
            return self._lexicon.find(word.lower()) or self._lexicon.guess(word.lower())
        if word in _FIXED:
            return to_table(_FIXED[word].split())
        found = self._lexicon.find(word)
        if found:
            return found
        clitic, apostrophe, rest = word.partition("'")
        if apostrophe and clitic in _ELIDED and rest:
            return (*_ELIDED[clitic].split(), *self._word(rest))
        plain = plain_letters(word, "àâäçéèêëîïôöùûüÿœæ").replace("'", "")
        return self._lexicon.find(plain) or self._lexicon.guess(plain)


def _links(word: str, phones: Phones) -> bool:
    """Whether a word causes liaison: it begins with a vowel, without an aspirated h."""
    if word.startswith(tuple(_BLOCKS)) and not word.startswith(_NOT_BLOCKING):
        return False
    return bool(phones) and (
        phones[0].removeprefix(STRESS) in VOWELS or (phones[0] in ("ɥ", "j") and word[0] in "hy")
    )

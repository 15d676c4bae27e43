"""Spanish (Castilian: z and soft c are θ, ll is distinct from y): spelling rules; only rare names are exceptions."""

from __future__ import annotations

import re

from speechx.text.g2p.base import Phones, RewriteRules, RuleG2P, stress_from_end
from speechx.text.phones import STRESS

_RULES = RewriteRules("""
^ps -> s
^hi(?=e) -> ʝ
ch -> tʃ
sh -> ʃ
ll -> ʎ
rr -> r
^r -> r
(?<=[nls])r -> r
r -> ɾ
qu(?=[eiéí]) -> k
qu -> k w
q -> k
gu(?=[eiéí]) -> ɡ
gü -> ɡ w
g(?=[eiéí]) -> x
g -> ɡ
cc(?=[eiéí]) -> k θ
c(?=[eiéí]) -> θ
[ckq] -> k
z -> θ
j -> x
h ->
ñ -> ɲ
[bv] -> b
w -> w
^x -> s
x -> k s
t -> t
d -> d
p -> p
f -> f
s -> s
l -> l
m -> m
n -> n
y(?=[aeiouáéíóú]) -> ʝ
(?<=[aeoáéóuú])y -> j
y -> i
i(?=[aeouáéóú]) -> j
(?<=[aeoáéó])i -> j
u(?=[aeioáéíó]) -> w
(?<=[aeoáéó])u -> w
ü -> w
á -> ˈa
é -> ˈe
í -> ˈi
ó -> ˈo
ú -> ˈu
a -> a
e -> e
i -> i
o -> o
u -> u
""")

# Clitics and function words carry no stress of their own.
_UNSTRESSED = frozenset(
    "el la los las un de del a al en y e o u que con por para sin su sus mi mis tu tus se me te le les lo nos os si "
    "ni pero como cuando donde porque pues".split()
)
_EXCEPTIONS = {
    "méxico": "méjico",
    "mexicano": "mejicano",
    "mexicana": "mejicana",
    "texas": "tejas",
    "oaxaca": "oajaca",
}
_PENULTIMATE = re.compile(r"[aeiouns]$")
_SOFT = {"b": "β", "d": "ð", "ɡ": "ɣ"}
_NASALS = ("m", "n", "ŋ", "ɲ")


class SpanishG2P(RuleG2P):
    """Rules, then across the phrase: b d ɡ soften between vowels, n takes the place of what follows."""

    letters = "áéíóúüñ"

    def word(self, word: str) -> Phones:
        phones = _RULES(_EXCEPTIONS.get(word, word))
        if word not in _UNSTRESSED:
            # A final y is a vowel that closes a last, stressed syllable: estoy, virrey.
            stress_from_end(phones, 2 if _PENULTIMATE.search(word) else 1)
        return tuple(phones)

    def join(self, phrase: list[list[str]]) -> list[Phones]:
        before = ""
        for w, phones in enumerate(phrase):
            for i, phone in enumerate(phones):
                after = (
                    phones[i + 1] if i + 1 < len(phones) else next((p[0] for p in phrase[w + 1 :] if p), "")
                )
                if (
                    phone in _SOFT
                    and before
                    and before not in _NASALS
                    and not (phone == "d" and before == "l")
                ):
                    phones[i] = _SOFT[phone]
                elif phone == "n" and after in ("k", "ɡ", "x"):
                    phones[i] = "ŋ"
                elif phone == "n" and after in ("p", "b", "m"):
                    phones[i] = "m"
                before = phones[i].removeprefix(STRESS)
        return [tuple(phones) for phones in phrase]

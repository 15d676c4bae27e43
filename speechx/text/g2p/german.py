"""German: morphs by prefix, suffix and frequent compound heads, then spelling rules for length, schwa and stress."""

from __future__ import annotations

import re

from speechx.text.g2p.base import Phones, RuleG2P
from speechx.text.g2p.german_words import EXCEPTIONS, HEADS, SHORT, STEMS, UNSTRESSED
from speechx.text.phones import STRESS, VOWELS, add_stress, strip_stress

_V = "aeiouyäöü"
_GRAPHEMES = re.compile(
    "tsch|dsch|sch|chs|ch|ck|ph|th|rh|pf|qu|tz|dt|ng|nk|sp|st|ss|ß|"
    r"ieh|ie|eih|ei|ai|ey|ay|eu|äu|au|aa|ee|oo|"
    rf"[aeiouäöü]h(?![{_V}])|[{_V}éèêáàâóòôç]|bb|dd|ff|gg|kk|ll|mm|nn|pp|rr|tt|zz|."
)
_DIPHTHONGS = {
    "ei": "aɪ", "eih": "aɪ", "ai": "aɪ", "ey": "aɪ", "ay": "aɪ", "eu": "ɔɪ", "äu": "ɔɪ", "au": "aʊ",
}  # fmt: skip
_LONG = {"a": "aː", "e": "eː", "i": "iː", "o": "oː", "u": "uː", "y": "yː", "ä": "ɛː", "ö": "øː", "ü": "yː"}
_SHORT = {"a": "a", "e": "ɛ", "i": "ɪ", "o": "ɔ", "u": "ʊ", "y": "ʏ", "ä": "ɛ", "ö": "œ", "ü": "ʏ"}
_TENSE = {"a": "a", "e": "e", "i": "i", "o": "o", "u": "u", "y": "y", "ä": "ɛ", "ö": "ø", "ü": "y"}
_BASE = str.maketrans("éèêáàâóòôç", "eeeaaaooos")
_CONSONANTS = {
    "tsch": "tʃ", "dsch": "dʒ", "sch": "ʃ", "chs": "k s", "ck": "k", "ph": "f", "th": "t", "rh": "ʁ", "pf": "pf", "qu": "k v",
    "tz": "ts", "zz": "ts", "dt": "t", "ng": "ŋ", "nk": "ŋ k", "sp": "s p", "st": "s t", "ss": "s", "ß": "s", "z": "ts", "c": "k", "x": "k s",
    "v": "f", "w": "v", "j": "j", "r": "ʁ", "rr": "ʁ", "g": "ɡ", "gg": "ɡ", "h": "h", "s": "s", "q": "k",
}  # fmt: skip
_DEVOICED = {"b": "p", "d": "t", "ɡ": "k", "v": "f", "z": "s"}

_WEAK_PREFIX = re.compile(r"^(be(?!i)|ge|er|ver|zer|ent|emp)(?=[^aeiouäöü]*[aeiouäöüy]+[^aeiouäöüy])")
# Longest first: unter before un.
_STRONG_PREFIX = re.compile(
    r"^(zusammen|zwischen|hinter|nieder|wieder|zurück|selbst|hinaus|herein|heraus|hinein|voraus|darauf|"
    r"vorbei|hervor|durch|unter|wider|haupt|gegen|außen|innen|davon|daran|darin|dafür|damit|dabei|herum|"
    r"umher|fort|nach|ober|über|voll|dazu|auf|aus|bei|ein|her|hin|los|mit|vor|weg|dar|ab|an|um|un|zu)"
    r"(?=.*[aeiouäöüy])"
)
_NOT_PREFIXED = re.compile(
    r"^(?:beug|genau|genie|general|genug|genoss|gegen|geld|gest(?:ern|e$)|geist|gern|gelb|geist|geb(?:en|e|er)|geh|gel[bt]|bes(?:en|s)|beid|bein|beispiel|berg|bern|berlin|beck|"
    r"bett|beste[nrsm]?$|beere|bel[gl]|ernst|erst|erd|erz(?!iel|eug|ähl|ieh|wing|og)|erb|ente|inter|einer?s?$|eine[mn]?$|einig|einzel|einmal|anders?|ander|"
    r"unter$|über$|unser|uns|und|unten|ungern|ober[eaun]|aber|abend|abt|auge|august|ausland$|beige|berei|"
    r"mitt|nacht|nachbar|vorn|umwelt|hers|herr|herz|herb|herm|herd|hinz|hind|hint|ann|ang[es]t|ante|antw|anna|ank|ant|mitte|los[ea]?$|"
    r"zug|zuck|zum|zur|zust?$|zun|zunge|zwar|weg[e]?n?$|ents?$|anal|anim|beton|beamt|bereits|unif|univ|uni|unio|gemüse|genau|vollk|abs[uo])"
)  # fmt: skip
_SUFFIX = re.compile(
    r"^(.*[aeiouäöüy].*?)(lich(?:e[nrsm]?|er[enrs]?|keit|keiten)?|keit(?:en)?|heit(?:en)?|schaft(?:en|s)?|los(?:e[nrsm]?)?|"
    r"bar(?:e[nrsm]?)?|sam(?:e[nrsm]?)?|haft(?:e[nrsm]?)?|nis(?:se[ns]?)?|ling(?:e[ns]?)?|(?<=[bdfgklmnprtß])chen(?:s)?|tum(?:s)?|wärts|"
    r"weise[n]?|fach(?:e[nrsm]?)?)$"
)
_HEAD = re.compile(rf"^(.*[aeiouäöüy].*?[^aeiouäöüc]|.*(?:e|a|ei|ee|au))s?({HEADS})(e?[nrs]?|es|ern)$")
# Verbs in über-, unter- and their nouns mostly stress the stem: übersetzen, Unternehmen, Überraschung.
_INSEPARABLE = re.compile(r"^(?:über|unter|wider|hinter).*[aeiouäöü].*(?:en|t|te|ten|tes|ter|et|ung|ungen)$")
# Endings that take an s before the next part of a compound: Sicherheits-gründe.
_LINKED = re.compile(r"^(.{2,}(?:heit|keit|ung|schaft|ion|tät|ling|tum))s(.{3,})$")
_LOAN_STRESS = re.compile(
    r"(?:(ier)(?:en|t|te|ten|end|ung|ungen|er)?|(tion|sion|ion)(?:en|s)?|(tät)(?:en)?|(ent|enz|ant|anz|ist)(?:e[ns]?|in)?|"
    r"(ell|al|iv|ös|är)(?:e[nrsm]?)?|(ess|ekt|ept)(?:e[ns]?|s)?|(ei)(?:en)?|(eur)(?:e|s|en)?|(ik|ie)|(or)en|(ur)(?:en)?|(ett)(?:e|en)?|((?<!er)(?<!h)in|on|an))$"
)
_LOAN = re.compile(
    r"tion|sion|tät|ier(?:en|t|te|ten|ung|ungen)$|ismus|ph|ieren|ität|ist(?:en)?$|ell(?:e[nrs]?)?$|iv(?:e[nrs]?)?$|ologie"
)
_SCHWA_REST = re.compile(
    r"^(?:[nlrsmt]|nd|ns|nt|rs|rn|ln|ls|st|rt|lt|ts|nz|rst|lst|ndst|tst|nst|rnd|lnd|rns|lns)?$"
)


class GermanG2P(RuleG2P):
    """Phones of standard German; r after a vowel is ɐ, final stops are voiceless, no glottal stops."""

    letters = "äöüßéèêáàâóòôç"

    def word(self, word: str) -> Phones:
        word = word.replace("'", "")
        if word in EXCEPTIONS:
            return tuple(EXCEPTIONS[word].split())
        parts = split_morphs(word)
        phones: list[str] = []
        stressed = next((i for i, (_, kind) in enumerate(parts) if kind in ("stem", "strong")), 0)
        for i, (part, kind) in enumerate(parts):
            morph_phones = _morph(part, kind, last=i == len(parts) - 1)
            # A loan ending takes the stress from the first part only when it is the whole word.
            mark = i == stressed and word not in UNSTRESSED
            phones += _finish(morph_phones, mark)
        return tuple(phones)

    def knows(self, word: str) -> bool:
        return super().knows(word) or word in EXCEPTIONS or word in SHORT


def split_morphs(word: str) -> list[tuple[str, str]]:
    """(part, kind) of a word; kind is "weak" or "light" (unstressed prefix), "strong" (stressed prefix), "stem" or "suffix"."""
    parts: list[tuple[str, str]] = []
    while not _NOT_PREFIXED.match(word) and word not in SHORT:
        if match := _WEAK_PREFIX.match(word):
            kind = "weak"
        elif (match := _STRONG_PREFIX.match(word)) and len(word) > match.end() + 2:
            kind = "light" if _INSEPARABLE.match(word) else "strong"
        else:
            break
        parts.append((match[1], kind))
        word = word[match.end() :]
        if word.startswith(("zu", "ge")) and kind == "strong" and len(word) > 5:
            parts.append((word[:2], "weak"))
            word = word[2:]
            break
    if match := _LINKED.match(word):
        return [*parts, *split_morphs_of_stem(match[1]), ("s", "suffix"), *split_morphs_of_stem(match[2])]
    tail: list[tuple[str, str]] = []
    match = _SUFFIX.match(word)
    if match and (
        (len(match[1]) > 2 and match[1][-1] not in "aeiouäöü") or match[1].endswith(("ei", "au", "e"))
    ):
        word = match[1]
        tail.append((match[2], "suffix"))
    if len(word) > 6 and (match := _HEAD.match(word)) and len(match[1]) > 2:
        head = match[2] + match[3]
        link = word[len(match[1]) : len(word) - len(head)]
        return [*parts, *split_morphs_of_stem(match[1] + link), (head, "stem"), *tail]
    return [*parts, (word, "stem"), *tail]


def split_morphs_of_stem(word: str) -> list[tuple[str, str]]:
    """The first part of a compound, which may be one itself or have a prefix."""
    return split_morphs(word) if len(word) > 5 else [(word, "stem")]


def _morph(part: str, kind: str, *, last: bool) -> list[tuple[str, str]]:
    """(phone, letters) of one morph; vowels still without stress. Letters are kept to find schwas and lengths."""
    if kind == "weak":
        return [(phone, "") for phone in {"be": "b ə", "ge": "ɡ ə", "er": "ɛ ɐ", "ver": "f ɛ ɐ", "zer": "ts ɛ ɐ",
                                          "ent": "ɛ n t", "emp": "ɛ m p", "zu": "ts u"}[part].split()]  # fmt: skip
    if kind in ("stem", "strong") and STRESS in EXCEPTIONS.get(part, ""):
        return [
            (strip_stress(phone), "main" if phone.startswith(STRESS) else "x")
            for phone in EXCEPTIONS[part].split()
        ]
    part = part.translate(_BASE)
    graphemes: list[str] = _GRAPHEMES.findall(part)
    vowels = [i for i, g in enumerate(graphemes) if g[0] in _V]
    loan = bool(_LOAN.search(part))
    main = _main_vowel(part, graphemes, vowels, kind)
    out: list[tuple[str, str]] = []
    for i, g in enumerate(graphemes):
        rest = "".join(graphemes[i + 1 :])
        before = graphemes[i - 1] if i else ""
        if g[0] in _V:
            phone = _vowel(g, rest, i, main, kind, part, i == vowels[-1], len(vowels))
            out.append((phone, "main" if i == main else "v"))
        else:
            out += [(phone, "c") for phone in _consonant(g, before, rest, i, part, loan)]
    return out


def _main_vowel(part: str, graphemes: list[str], vowels: list[int], kind: str) -> int:
    """Index of the grapheme with the (possible) stress of a morph."""
    if not vowels:
        return -1
    if kind == "stem" and len(vowels) > 1 and (match := re.search(r"isch(?:e[nrsm]?|er[enrs]?)?$", part)):
        before = [i for i in vowels if sum(map(len, graphemes[:i])) < match.start()]
        if before:
            return before[-1]
    if kind == "stem" and len(vowels) > 1 and (match := _LOAN_STRESS.search(part)) and part not in STEMS:
        group = match.lastindex or 0
        at = match.end(group) - 2 if match[group].endswith("ion") else match.start(group)
        start = 0
        for i, g in enumerate(graphemes):
            if (
                i in vowels
                and start + len(g) > at
                and (match[0] not in ("in", "on", "an", "ur", "al", "or") or len(vowels) > 2)
            ):
                return i
            start += len(g)
    full = [i for i in vowels if not (graphemes[i] == "e" and i != vowels[0])]
    if kind == "stem" and part[-1] in "aio" and len(full) >= 3 and graphemes[-1] in "aio":
        return full[-2]
    if (
        kind == "stem"
        and re.search(r"(?:ember|ober|uter|ismus|iker|aner|aster)s?$", part)
        and len(vowels) > 2
    ):
        return vowels[-2]
    return vowels[0]


def _vowel(g: str, rest: str, i: int, main: int, kind: str, part: str, is_last: bool, count: int) -> str:
    if g in _DIPHTHONGS:
        return _DIPHTHONGS[g]
    if g in ("ie", "ieh"):
        return "iː" if i == main else "i"
    letter = g[0]
    if len(g) > 1:  # doubled, or lengthened by h
        return _LONG[letter]
    after = _GRAPHEMES.findall(rest)
    following = after[0] if after else ""
    if letter == "e" and i > main >= 0 and _is_schwa(after):
        return "ə"
    opens = not following or following[0] in _V or (
        len(after) > 1 and after[1][0] in _V and following not in _CLOSING and len(following) == 1
    ) or (len(after) > 1 and following in ("b", "d", "g", "k", "p", "t") and after[1] in ("r", "l") and len(after) > 2 and after[2][0] in _V)  # fmt: skip
    if following == "ß":
        opens = True
    if following == "h":
        opens = True
    if i != main:
        return _TENSE[letter] if opens else _SHORT[letter]
    if kind == "suffix" and letter in "ei":
        return _SHORT[letter] if not opens else _LONG[letter]
    if (
        len(after) == 1
        and following not in _CLOSING
        and len(following) == 1
        and part not in SHORT
        and is_last
    ):
        opens = True
    if (
        count == 1
        and len(after) == 2
        and following in "bdglmnr"
        and after[1] in ("t", "s", "st")
        and _REGULAR.match(part)
    ):
        opens = True
    if part in SHORT:
        opens = False
    return _LONG[letter] if opens else _SHORT[letter]


_OBSTRUENTS = ("ch", "f", "ff", "g", "k", "ck", "t", "tz", "ts", "p", "s", "b", "d", "ng")
_CLOSING = ("x", "ck", "tz", "ng", "nk", "sch", "ch", "chs", "pf", "st", "sp", "ss", "tsch", "z")
# Inflected forms of verbs and nouns whose vowel is long before one stem consonant and an ending: lebt, sagst, tags.
_REGULAR = re.compile(
    r"^(?:[lgh]eb[ts]|sag[ts]|tag[s]|leg[ts]|lieg|trag[ts]|frag[ts]|zeig|weg[s]|gib[ts]|lob[ts]|hör[ts]|fühl|spür[ts]|führ|lern$^)"
)


def _is_schwa(after: list[str]) -> bool:
    """Whether an e after the main vowel is reduced: before one consonant or an ending."""
    rest = "".join(after)
    if _SCHWA_REST.match(rest):
        return True
    if len(after) > 1 and after[0][0] not in _V and after[1][0] in _V and len(after[0]) == 1:
        return True
    return bool(re.match(r"(?:[nlr][^aeiouäöü]|r?n[dt]|t?e|lnd|s[tz]?[^aeiou])", rest))


def _consonant(g: str, before: str, rest: str, i: int, part: str, loan: bool) -> list[str]:
    vowel_next = bool(rest) and rest[0] in _V
    after_vowel = bool(before) and before[0] in _V
    if g == "ch":
        if i == 0:
            return ["k"] if rest[:1] in ("o", "a", "l", "r") else ["ç"]
        return ["x"] if before in ("a", "o", "u", "au", "aa", "oo", "ah", "oh", "uh") else ["ç"]
    if g in ("st", "sp"):
        # In the middle only a compound has ʃt: after an obstruent and before more than an ending (Gleich-stellung).
        compound = before in _OBSTRUENTS and not re.match(r"(?:e[nrsm]?|es?t|e?ns?)?$|e[rln]", rest)
        return ["ʃ" if i == 0 or compound else "s", g[1]]
    if g == "s":
        return (
            ["z"] if vowel_next and (i == 0 or after_vowel or before in ("l", "m", "n", "r", "ng")) else ["s"]
        )
    if g == "chs":
        return ["ç", "s"] if rest.startswith("t") and before in ("ä", "ö", "ü") else ["k", "s"]
    if g == "c":
        return ["ts"] if rest[:1] in ("e", "i", "ä", "ö") else ["k"]
    if g == "v":
        native = i == 0 and re.match(r"v(?:ie[lr]|ol[lk]|or|on|ater|äter|ög|og|et|eil|orn)", part)
        return ["f"] if native or not rest else ["v"]
    if g == "t" and rest.startswith(("ion", "iell", "ient")) and before not in ("s",):
        return ["ts"]
    if g == "h" and after_vowel:
        return [] if before in ("ei", "au", "eu", "äu", "ie") or (rest[:1] == "e") else ["h"]
    if g == "g" and before == "i" and not rest and len(part) > 3:
        return ["ç"]
    if g == "r" and after_vowel and not vowel_next:
        return ["ɐ"]
    if g == "ng" and vowel_next and rest[0] not in "eiu":
        return ["ŋ", "ɡ"]
    phones = _CONSONANTS.get(g, g[0]).split()
    phones = [{"g": "ɡ", "y": "ʏ"}.get(phone, phone) for phone in phones]
    if phones[-1] in _DEVOICED and not vowel_next and not re.match(r"[lrmnw]", rest) and g not in ("w",):
        phones[-1] = _DEVOICED[phones[-1]]
    return [phone for phone in phones if phone not in "'-"]


def _finish(segments: list[tuple[str, str]], mark: bool) -> list[str]:
    """Stress on the main vowel, -er to ɐ, and i before a vowel to a glide (Nation)."""
    phones: list[str] = []
    for i, (phone, kind) in enumerate(segments):
        following = segments[i + 1] if i + 1 < len(segments) else ("", "")
        if phone == "ə" and following[0] == "ɐ" and following[1] == "c":
            continue  # -er: the vocalized r is the syllable
        if phone in ("i", "ɪ") and kind == "v" and following[1] in ("v", "main") and following[0] in VOWELS:
            phone = "j"
        phones.append(add_stress(phone) if kind == "main" and mark else phone)
    return phones

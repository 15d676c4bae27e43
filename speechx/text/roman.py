"""Roman numbers: kings and popes, centuries, chapters, articles. A single letter needs a noun or a name before it."""

from __future__ import annotations

import re

from speechx.text.context import TokenContext
from speechx.text.locales.base import Locale
from speechx.text.times import german_case

_NUMERAL = r"(?=[MDCLXVI])M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})"
_ROMAN = re.compile(rf"^({_NUMERAL})(ers?|res?|ère|e|è[mr]e|eme|º|ª|°|th|st|nd|rd)?\.?$")
_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_CENTURIES = frozenset("siglo siglos siècle siècles secolo secoli século séculos jahrhundert century".split())
_TITLES = frozenset(
    "king queen pope emperor empress tsar czar prince princess sultan pharaoh saint rey reina papa emperador roi reine pape "
    "empereur könig königin papst kaiser kaiserin zar re regina imperatore rei rainha imperador san santo dom don".split()
)
_NAMES = frozenset(
    "charles elizabeth henry james george william edward richard francis nicholas alexander peter frederick leopold napoleon "
    "paul louis philip albert ferdinand isabella catherine mary margaret benedict pius gregory leo clement innocent urban john "
    "robert david harald olaf gustav christian wilhelm otto ramses ramesses ptolemy darius xerxes constantine justinian "
    "carlos felipe alfonso fernando luis isabel juan pablo pío león enrique jaime pedro benedicto francisco alejandro nicolás "
    "henri françois napoléon philippe jean pie léon élisabeth elisabeth nicolas guillaume alexandre benoît catherine "
    "karl friedrich ludwig heinrich johannes katharina nikolaus franz joseph josef georg benedikt maximilian philipp alexander "
    "vittorio emanuele umberto carlo pio giovanni paolo benedetto leone enrico federico luigi filippo napoleone elisabetta "
    "caterina nicola alessandro joão paulo pedro manuel afonso filipe luís josé maria bento leão henrique fernando sancho dinis "
    "mohammed muhammad abdullah süleyman suleiman mehmed carl haakon".split()
)
_QUEENS = frozenset(
    "elizabeth isabella catherine mary margaret isabel élisabeth elisabeth katharina catarina elisabetta caterina maria "
    "victoria margarita margarethe beatrix juliana cristina christina anne".split()
)
_ARTICLES = frozenset(
    "der die das dem den des im am zum zur vom the el la il lo l' o a al del della alla nella dell' nel sul dal dalla sulla no na do da ao à pela pelo".split()
)
_AND = frozenset("and or y e et und ou o u oder - to a bis à".split())
_VERBS_AFTER_I = frozenset("was is of reigned ruled became died had and wurde".split())


def say_roman(core: str, locale: Locale, context: TokenContext) -> list[str] | None:
    """The words of a Roman number; None if the word is no Roman number or stands where it need not be one."""
    if locale.language == "en" and core.endswith("'s") and (owner := say_roman(core[:-2], locale, context)):
        return [*owner[:-1], f"{owner[-1]}'s"]
    match = _ROMAN.match(core)
    if not match or context.shouting:
        return None
    numeral, suffix = match[1], match[2] or ""
    value = roman_value(numeral)
    before, after = _noun_before(context, locale), context.after.lower()
    single, common = len(numeral) == 1, set(numeral) <= set("IVX")
    if suffix:
        return _with_suffix(value, suffix, before, after, locale) if common else None
    if before in _CENTURIES and (common or not single):
        return _century(value, locale)
    if after in _CENTURIES and not context.closed and (not single or core.endswith(".")):
        ending = german_case(context) if locale.language == "de" else ""
        return (locale.ordinal(value) + ending).split()
    if before in locale.counted and (common or not single):
        return locale.cardinal(value, False).split()
    if core in locale.spelled or (single and not common):
        return None
    if _is_monarch(before, numeral, context, locale):
        return locale.monarch(value, before in _QUEENS).split()
    if single or (not common and len(numeral) < 4):
        return None
    apart = ((not before or context.parted) and context.after.islower()) or after in locale.counted
    if before in _ARTICLES or (apart and locale.language in ("es", "it", "pt")):
        return _of_article(value, context, locale)
    if context.before[:1].isupper() and len(context.before) > 1:
        return locale.cardinal(value, False).split()
    return None


def roman_value(numeral: str) -> int:
    """XLII is 42."""
    values = [_VALUES[letter] for letter in numeral]
    ends = [*values[1:], 0]
    return sum(-value if value < following else value for value, following in zip(values, ends, strict=True))


def _noun_before(context: TokenContext, locale: Locale) -> str:
    """The noun or name that the number belongs to: the word before, over "and" (chapters II and III), written out."""
    words = [word.lower() for word in context.preceding]
    listed = [bool(_ROMAN.match(word)) for word in context.preceding]
    counts_next = context.after.lower() in locale.counted  # II guerra mondiale
    if context.parted and (counts_next or not (listed and listed[-1])):
        return ""
    while words and (listed[-1] or (words[-1] in _AND and len(words) > 1 and listed[-2])):
        words, listed = words[:-1], listed[:-1]
    before = words[-1].removesuffix(".") if words else ""
    if len(before) == 1 and context.before.isupper():
        return before  # a letter of a spelled word
    full = locale.before_number.get(f"{before}.") or locale.abbreviations.get(f"{before}.") or before
    if full.endswith("s") and full.removesuffix("s") in locale.counted:
        return full.removesuffix("s")
    if before in ("s", "sec") and context.before.islower() and locale.language in ("es", "it", "fr"):
        return {"es": "siglo", "it": "secolo", "fr": "siècle"}[locale.language]
    return full


def _is_monarch(before: str, numeral: str, context: TokenContext, locale: Locale) -> bool:
    if not context.before[:1].isupper() or context.before.isupper():
        return False
    titled = any(word.lower() in _TITLES for word in context.preceding[-3:-1])
    if numeral == "I" and locale.language == "en" and not titled:
        return before in _NAMES and (
            context.last or context.closed or context.after.lower() in _VERBS_AFTER_I
        )
    if len(numeral) == 1 and numeral != "I" and not titled:
        return before in _NAMES
    return titled or before in _NAMES


def _with_suffix(value: int, suffix: str, before: str, after: str, locale: Locale) -> list[str] | None:
    """French XXe, Ier, Ire; Spanish and Italian XIIº."""
    ordinary = suffix in ("e", "ème", "eme", "º", "ª", "°", "th", "st", "nd", "rd")
    if (locale.language == "en") != (suffix in ("th", "st", "nd", "rd")) or not (value == 1 or ordinary):
        return None
    if value == 1 and suffix.startswith(("er", "r", "è")):
        return locale.monarch(1, suffix.startswith(("r", "è"))).split() if locale.language == "fr" else None
    if locale.language == "fr" and suffix in ("e", "ème", "eme") and value < 11 and len(str(value)) == 1:
        return locale.ordinal(value).split() if value not in (0,) else None
    words = locale.ordinal(value).split()
    return [re.sub("o$", "a", word) for word in words] if suffix == "ª" else words


def _century(value: int, locale: Locale) -> list[str]:
    if locale.language in ("it", "fr") or (locale.language in ("es", "pt") and value <= 10):
        return locale.ordinal(value).split()
    return locale.cardinal(value, False).split()


def _of_article(value: int, context: TokenContext, locale: Locale) -> list[str] | None:
    """La XII edición, il XV congresso, the XXIII Olympiad: an ordinal before a noun."""
    noun = context.after
    if not noun[:1].isalpha() or context.closed:
        return None
    words = locale.ordinal(value).split()
    if locale.language == "de":
        return (" ".join(words) + german_case(context)).split()
    if locale.language in ("es", "it", "pt") and locale.is_feminine(noun):
        words = [re.sub("o$", "a", word) for word in words]
    return words

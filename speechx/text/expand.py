"""What one written word says: abbreviations, symbols, acronyms, units, and (by other modules) numbers and addresses."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

from speechx.text.addresses import is_place_letter, say_address, say_street
from speechx.text.context import TokenContext
from speechx.text.digits import PHONE, SUPERSCRIPTS, german_ordinal, say_digits
from speechx.text.locales.base import Locale
from speechx.text.money import currency_of, names_currency, prefix_of, scale_word, with_currency
from speechx.text.numbers import SCALE_WORDS, month_of, number
from speechx.text.ranges import say_range
from speechx.text.roman import say_roman

_DOTTED = re.compile(r"^(?:[^\W\d_]\.)+[^\W\d_]?\.?$")
_ELIDED = re.compile(r"^([^\W\d_]{0,7}[^\W\d_]')(\d.*|[^\W\d_]+\.(?:\w+\.?)?)$")
_CAPITALS = re.compile(r"^([^\W\d_]{2,}?)('?s)?$")
_ACRONYM = re.compile(r"([^\W\d_]{1,4}')?([^\W\d_]{2,})('S)?")
# In a text all in capitals these acronyms may be words.
_WORDS_TOO = {"en": frozenset("US IT AM LA ER WHO ID".split()), "fr": frozenset(["EU"])}
_WORD = rf"[^\W\d_{SUPERSCRIPTS}]+"
_PIECES = re.compile(rf"\d+(?:[.,]\d+)*|{_WORD}(?:['-]{_WORD})*'?|[{SUPERSCRIPTS}]+|[^\w\s]|_")
_LETTER = re.compile(r"[^\W\d_]")
_POWER = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
# Abbreviations that are words too: these need a number after them, those a capital at the front.
_BEFORE_NUMBER = frozenset("no fig art nr n p pp vol ch cap pág".split())
_CAPITAL = frozenset("st co mar sat sun mon fri col gen ed ft mt sen hon est dec".split())
_CAPITAL_WITHOUT_DOT = frozenset("dr me pr mr mrs sr jr".split())
# Units that are words in some language: they need a mark, the end or a word of measure after them.
_UNIT_WORDS = frozenset("in ha bar gal cal kn mol al do di da as es ma me pa he".split())
_MEASURED = frozenset("x by wide long tall deep thick high of di de d' × diameter".split())


def expand(core: str, locale: Locale, context: TokenContext, *, final: bool = False) -> list[str] | None:
    """Spoken words of one written word.

    Without `final` only forms to which a final dot belongs are tried (core ends with it): None for others.
    An acronym candidate stays in capitals, for the front end to spell or to read.
    """
    low = core.lower()
    if (said := _abbreviation(core, low, locale, context)) is not None:
        return said
    if elided := _ELIDED.match(core):
        rest = expand(elided[2], locale, _alone(context) if elided[2][0].isdigit() else context, final=final)
        return rest and [elided[1].lower() + rest[0], *rest[1:]]
    roman_dot = not final and not context.last and re.match(r"[IVXLCDM]+\.$", core)
    if roman_dot and (said := say_roman(core, locale, context)) is not None:
        return said if locale.language == "de" else None
    if _DOTTED.match(core) and (len(core) > 2 or (core[0].isupper() and not context.last)):
        return locale.spell(core)
    if not final:
        if re.match(r"\d.*[ap]\.m\.$", low):
            return say_digits(core, locale, context)
        return german_ordinal(core, locale, context)
    if (said := say_address(core, locale)) is not None:
        return said
    if core[0].isalpha() and (said := _unit(core, locale, context)) is not None:
        return said
    if core.startswith(PHONE) or any(char.isdecimal() or unicodedata.category(char) == "No" for char in core):
        if (said := say_digits(core, locale, context)) is not None:
            return said
        return _hyphenated(core, locale, context) or _pieces(core, locale, context)
    if (said := _beside_number(core, low, locale, context)) is not None:
        return said
    roman = say_roman(core, locale, context)
    return _words(core, locale, context) if roman is None else roman


def _alone(context: TokenContext) -> TokenContext:
    """The context of an elided number (l'8 marzo): what follows does not change it."""
    return replace(context, following=())


def _abbreviation(core: str, low: str, locale: Locale, context: TokenContext) -> list[str] | None:
    """The words of an abbreviation, where it is one."""
    if (said := say_street(core, locale, context)) is not None:
        return said
    if _needs_number(core, low, locale, context):
        return locale.before_number[low].split()
    measured = low.endswith(".") and re.match(r"[\d.,]+$", context.before)
    if measured and (names := _unit(core[:-1], locale, context)):
        return names
    if is_place_letter(core, locale, context):
        return locale.spell(core)
    if _is_letter_name(core, locale, context):
        return _beside_number(core, low, locale, context) or locale.spell(core)
    if locale.language == "fr" and low == "s." and re.fullmatch(r"[IVX]+(?:e|ème|er)", context.before):
        return ["siècle"]
    if locale.language == "de" and low == "fr." and context.before.lower() in ("bis", "am", "ab", "jeden"):
        return ["freitag"]
    if locale.language == "de" and (street := re.fullmatch(r"(\w{3,})(str|pl)\.", low)):
        return [street[1] + {"str": "straße", "pl": "platz"}[street[2]]]
    if context.before == "1" and low.endswith(".") and core[:-1] in locale.scales:
        return locale.scales[core[:-1]][0].split()
    if low in locale.abbreviations and _is_abbreviation(core, low, context):
        return locale.abbreviations[low].split()
    if len(low) > 2 and core[0].isupper() and low.isalpha() and low not in locale.months and low != "mar":
        beside = context.before[:1].isdigit() or context.after[:1].isdigit()
        return [month_of(core, locale)] if beside and month_of(core, locale) else None
    return None


def _needs_number(core: str, low: str, locale: Locale, context: TokenContext) -> bool:
    """Whether this is an abbreviation before its number: p. 12, Kap. IV; not the unit in "10 s. 5"."""
    if low not in locale.before_number or (core.isupper() and len(core) > 2 and core.isalpha()):
        return False
    if not (context.after[:1].isdigit() or re.fullmatch(r"[IVXLC]+", context.after)):
        return False
    return context.parted or not (
        low.endswith(".") and context.before[:1].isdigit() and locale.units.find(core[:-1])
    )


def _is_letter_name(core: str, locale: Locale, context: TokenContext) -> bool:
    """A lone capital is a letter's name if it cannot be a word (B) or stands in a row of letters (A B C)."""
    if context.shouting or len(core) != 1 or not (core.isalpha() and core.isupper()):
        return False
    if core[0] in "IVX" and say_roman(core, locale, context) is not None:
        return False
    if unicodedata.normalize("NFD", core)[0] not in "AEIOUY":
        return True
    return any(
        len(word) == 1 and word.isalpha() and word.isupper() for word in (context.before, context.after)
    )


def _is_abbreviation(core: str, low: str, context: TokenContext) -> bool:
    """An abbreviation that is also a word counts only where it can be one."""
    word = low.removesuffix(".")
    if not low.endswith("."):
        return word not in _CAPITAL_WITHOUT_DOT or (core[0].isupper() and bool(context.after))
    if word in _BEFORE_NUMBER:
        return context.after[:1].isdigit()
    if word == "m" and context.before[:1].isdigit() and not context.parted:
        return False
    if word in _CAPITAL:
        return core[0].isupper() and (not context.last or word in ("co", "st"))
    return True


def _beside_number(core: str, low: str, locale: Locale, context: TokenContext) -> list[str] | None:
    """Words that belong to the number before them: currencies, scales (million, bn), units; operators between numbers."""
    sized = core in ("x", "×") and locale.units.find(context.before) is not None
    if (
        core in ("/", "*", "-", "×", "x")
        and (sized or _is_operand(context.before))
        and _is_operand(context.after)
    ):
        return _operator(core, locale, context)
    symbol = prefix_of(context.before, locale)
    if symbol and (low in SCALE_WORDS or scale_word(low, locale)):
        words = [scale_word(low, locale) or low]
        if names_currency(context.after, symbol, locale):
            return words
        currency = currency_of(symbol, locale)
        return with_currency(words, currency.many, locale) if currency else words
    counted = re.match(r"^\W?[\d.,\x1f]+$", context.before) is not None
    if counted and scale_word(low, locale):
        one, many = locale.scales[low.removesuffix(".")]
        return (one if context.before == "1" else many).split()
    if counted and core == "M" and context.after.lower().startswith(("d'", "de", "di")):
        return locale.scales["M"][1].split()
    code = counted and core.isupper() and len(core) == 3
    if (not core.isalpha() or code) and (currency := currency_of(core, locale)):
        before = context.before.lower().removesuffix(".")
        scaled = before in SCALE_WORDS or scale_word(before, locale)
        return (
            with_currency(["million"], currency.many, locale)[1:]
            if scaled and locale.of
            else currency.many.split()
        )
    return _unit(core, locale, context)


def _is_operand(word: str) -> bool:
    return re.match(r"\W{0,3}\d|[^\W\d_][²³]?$", word) is not None


def _operator(core: str, locale: Locale, context: TokenContext) -> list[str] | None:
    """A sign between two numbers: minus where the text is a sum or the first is larger, else "to"."""
    if core != "-":
        by = core in "x×" and not context.maths
        return (locale.by if by else locale.symbols[{"/": "÷"}.get(core, "×")]).split()
    plain = re.fullmatch(r"[\d.,]+ [\d.,]+", f"{context.before} {context.after}") is not None
    first, second = (re.sub(r"\D", "", word) for word in (context.before, context.after))
    if context.maths or (plain and int(first) > int(second)):
        return locale.minus.split()
    return locale.to.split() if first and second else None


def _unit(core: str, locale: Locale, context: TokenContext) -> list[str] | None:
    """A unit that stands apart from its number: 10 km, 40 million kg; "in" only where it must be inches."""
    before = context.before
    counted = before[-1:].isdigit() or before[-1:] in "¼½¾"
    if before.lower() in SCALE_WORDS and len(context.preceding) > 1:
        counted = context.preceding[-2][-1:].isdigit()
    squared = before.lower().removesuffix(".") in ("sq", "cu") and len(context.preceding) > 1
    if squared and context.preceding[-2][-1:].isdigit() and (names := locale.units.find(core)):
        return names[1].split()
    if not before or not counted or context.parted:
        return None
    if (
        locale.language == "en"
        and core.lower() in ("sq", "cu", "sq.", "cu.")
        and locale.units.find(context.after)
    ):
        return ["square" if core.lower().startswith("sq") else "cubic"]
    if core.lower() in _UNIT_WORDS and not (core == "ha" and locale.language not in ("es", "it")):
        after = context.after.lower()
        if not (context.last or context.closed or after in _MEASURED):
            return None
        if core.lower() == "in" and locale.language != "en":
            return None
    if core == "mi" and locale.language in ("es", "it", "pt"):
        return None
    names = locale.units.find(core)
    if names is None:
        return None
    one, many = names
    if locale.of and re.fullmatch(r"\d+/\d+|[¼½¾]", before):  # un cuarto de kilo, medio kilo
        return [*([] if before in ("1/2", "½") else [locale.of]), *one.split()]
    return (one if before == "1" else many).split()


def _words(core: str, locale: Locale, context: TokenContext) -> list[str]:
    """A written word without digits: itself in lower case, its symbols by name, an acronym in capitals."""
    if core.endswith("/") and len(core) > 1:
        words = _words(core[:-1], locale, context)
        return [*words, locale.units.per] if _is_rate(core[:-1], locale, context) else words
    if said := say_range(core, locale):
        return said
    if len(core) == 1 and core in locale.symbols and core not in "-/":
        return locale.symbols[core].split()
    match = _CAPITALS.match(core)
    if match and match[1].isupper() and not context.shouting:
        if not match[2]:
            return [core]
        *head, last = locale.spell(match[1])
        return [*head, f"{last}'s" if locale.language == "en" else last]
    if acronym := _shouted_acronym(core, locale, context):
        return acronym
    return _pieces(core, locale, context)


def _shouted_acronym(core: str, locale: Locale, context: TokenContext) -> list[str]:
    """The letters of an acronym after an article (l'UE), or in a text all in capitals (THE EU, THE UK'S)."""
    match = _ACRONYM.fullmatch(core)
    if not match or match[2] not in locale.spelled or not (context.shouting or match[1]):
        return []
    if context.shouting and match[2] in _WORDS_TOO.get(locale.language, ()):
        return []
    first, *rest = locale.spell(match[2])
    words = [(match[1] or "").lower() + first, *rest]
    return [*words[:-1], f"{words[-1]}'s"] if match[3] else words


def _is_rate(top: str, locale: Locale, context: TokenContext) -> bool:
    """Whether "litres/" and the word behind it are a rate (litres/day), not two names of one thing (date/hour)."""
    period = locale.units.period(context.after)
    counted = context.before[-1:].isdigit() or (locale.language in "en es fr pt" and top.endswith("s"))
    return bool(period) and counted and not locale.units.period(top)


def _hyphenated(core: str, locale: Locale, context: TokenContext) -> list[str] | None:
    """mid-1960s, pre-2000, 18-year-old: each part for itself; None where no part is more than plain digits."""
    parts = [part for part in re.split("[-–]", core) if part]
    if len(parts) < 2 or context.maths or not any(map(_LETTER.search, parts)):
        return None
    words: list[str] = []
    for part in parts:
        if words and (names := locale.units.find(part)) and len(part) > 1:
            words += names[0].split()
        elif not any(char.isdecimal() for char in part):
            capitals = part.isupper() and not context.shouting
            if capitals and len(part) < 4:
                words += locale.spell(part)
            else:
                words += [part] if capitals else _pieces(part, locale, context)
        elif (said := say_digits(part, locale, TokenContext(closed=True))) is not None:
            words += (
                [*locale.to.split(), *said]
                if words and parts[0][0].isdigit() and not part.isdigit()
                else said
            )
        else:
            words += _pieces(part, locale, context)
    return words


def _pieces(core: str, locale: Locale, context: TokenContext) -> list[str]:
    """Letters, digits and symbols of a mixed word one run after the other: mp3, AT&T, A4, COVID-19, he/she."""
    words: list[str] = []
    mixed = any(char.isdigit() or char == "&" for char in core)
    found = _PIECES.findall(core)
    for i, piece in enumerate(found):
        if piece[0].isdecimal():
            words += number(piece, locale)
        elif piece[0] in SUPERSCRIPTS:
            words += _power(piece, found[i - 1] if i else "", locale)
        elif _LETTER.match(piece):
            words += _letters(piece, core, mixed, locale, context)
        elif piece in "-–/*" and context.maths and 0 < i < len(found) - 1:
            sign = {"/": locale.symbols["÷"], "*": locale.symbols["×"]}.get(piece, locale.minus)
            words += sign.split() if _is_operand(found[i + 1]) else []
        elif piece in locale.symbols and piece not in "-/":
            words += locale.symbols[piece].split()
    return words


def _letters(piece: str, core: str, mixed: bool, locale: Locale, context: TokenContext) -> list[str]:
    code = any(map(str.isdecimal, core)) and (len(piece) < 3 or not re.search("[AEIOU]", piece))
    capitals = piece.isupper() and (code or not context.shouting)
    if piece == core:
        return [unicodedata.normalize("NFC", piece.lower())]
    if len(piece) == 1 and piece in locale.symbols:
        return locale.symbols[piece].split()
    if (capitals and (len(piece) == 1 or (mixed and len(piece) < 4))) or (mixed and len(piece) == 1):
        return locale.spell(piece)
    if mixed and capitals:
        return [piece]
    return [unicodedata.normalize("NFC", piece.lower())]


def _power(piece: str, base: str, locale: Locale) -> list[str]:
    """² and ³ by name, other powers by number; after a whole word they are a note's number and not said."""
    if len(base) > 2 and base[0].isalpha():
        return []
    if not any(char in "⁰¹²³⁴⁵⁶⁷⁸⁹" for char in piece):
        return []
    if piece in ("²", "³"):
        return locale.symbols[piece].split()
    if not base or piece == "¹":
        return []
    return [
        *locale.symbols["^"].split(),
        *number(piece[:1].translate(_POWER) + piece[1:].replace("⁻", "").translate(_POWER), locale),
    ]

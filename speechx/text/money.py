"""Amounts of money in words: the sign, the number, its scale and the currency, each once."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from speechx.text.context import TokenContext
from speechx.text.locales.base import JOIN, Currency, Locale
from speechx.text.locales.currencies import symbols
from speechx.text.numbers import SCALE_WORDS, is_million, number

_AMOUNT = rf"[\d.,'{JOIN}]*\d"
_VOWEL = re.compile(r"[aeiouâàéèêëîïôœùûh]")


def currency_of(symbol: str, locale: Locale) -> Currency | None:
    """The currency of a symbol or a code; a currency sign without names is called by its own name."""
    if found := locale.currencies.get(symbol.lower()):
        return found
    if len(symbol) == 1 and unicodedata.category(symbol) == "Sc":
        name = unicodedata.name(symbol).lower().removesuffix(" sign")
        return Currency(name, name)
    return None


@cache
def symbol_pattern() -> str:
    """Regex of every currency symbol and code, longest first."""
    known = sorted(symbols(), key=len, reverse=True)
    return "|".join([*(re.escape(symbol) for symbol in known), "[\u20a0-\u20c0¤৳៛﷼]"])


@cache
def _patterns(language: str, scales: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    scale = "|".join(re.escape(name) for name in sorted(scales, key=len, reverse=True)) or "(?!)"
    sign, money = r"([-+]?)", f"({symbol_pattern()})"
    return (
        re.compile(rf"^{sign}{money}{JOIN}?([-+]?)({_AMOUNT}){JOIN}?({scale})?(\D*)$"),
        re.compile(
            rf"^{sign}({_AMOUNT}){JOIN}?({scale})?{JOIN}?({symbol_pattern()}|eur|usd|euro)(?:/([^\W\d_]+))?$"
        ),
        re.compile(
            rf"^{money}?({_AMOUNT})({scale})?{JOIN}?{money}?[-–]{money}?({_AMOUNT})({scale})?{JOIN}?{money}?$"
        ),
        re.compile(rf"^[-+]?{money}{JOIN}?[-+]?{_AMOUNT}"),
    )


def say_money(core: str, locale: Locale, context: TokenContext) -> list[str] | None:
    """$5, -$5, $5-$10, $2M, 3 €, USD 250, 2 M€; None if it is no money."""
    before, behind, between, _ = _patterns(locale.language, tuple(locale.scales))
    if match := before.match(core):
        sign, amount, scale, tail = match[1] or match[3], match[4], match[5] or "", match[6].strip(JOIN)
        said = [*_sign(sign, locale), *_amount(amount, match[2], scale, locale, context)]
        if tail[:1] == "/" and tail[1:].isalpha():  # $5/month
            return [*said, locale.units.per, tail[1:].lower()]
        return [*said, tail.lower()] if tail.isalpha() else said
    if match := behind.match(core):
        said = [*_sign(match[1], locale), *_amount(match[2], match[4], match[3] or "", locale, context)]
        return [*said, locale.units.per, match[5].lower()] if match[5] else said
    if (match := between.match(core)) and (symbol := match[1] or match[4] or match[5] or match[8]):
        cents = any(re.search(r"[.,]\d{2}$", amount) for amount in (match[2], match[6]))
        last = _amount(match[6], symbol, match[7] or "", locale, context)
        first = (
            _amount(match[2], symbol, match[3] or "", locale, TokenContext())
            if cents
            else number(match[2], locale)
        )
        if not cents and match[3] and match[3] != match[7]:
            first = _amount(match[2], symbol, match[3], locale, TokenContext())
        return [*first, *locale.to.split(), *last]
    return None


def prefix_of(word: str, locale: Locale) -> str:
    """The currency symbol at the front of an amount ($12), or an empty string."""
    match = _patterns(locale.language, tuple(locale.scales))[3].match(word)
    return match[1] if match else ""


def names_currency(word: str, symbol: str, locale: Locale) -> bool:
    """Whether a word is the name of the currency of a symbol: dollars after $12 billion."""
    currency = currency_of(symbol, locale)
    return currency is not None and bool(word) and word.lower() in (currency.one, currency.many)


def with_currency(words: list[str], name: str, locale: Locale) -> list[str]:
    """A number and the name of its currency: three million euros, tres millones de euros, deux millions d'euros."""
    if not locale.of or not words or not is_million(words[-1]):
        return [*words, *name.split()]
    if locale.language == "fr" and _VOWEL.match(name):
        return [*words, *f"d'{name}".split()]
    return [*words, locale.of, *name.split()]


def _sign(sign: str, locale: Locale) -> list[str]:
    return {"-": locale.minus, "+": locale.symbols["+"]}.get(sign, "").split()


def _amount(digits: str, symbol: str, scale: str, locale: Locale, context: TokenContext) -> list[str]:
    currency = currency_of(symbol, locale) or Currency(symbol, symbol)
    said_later = names_currency(context.after, symbol, locale) and not context.closed
    if scale:
        one, many = locale.scales[scale]
        words = [*number(digits, locale, one), *(one if digits == "1" else many).split()]
        return words if said_later else with_currency(words, currency.many, locale)
    if not context.closed and (context.after.lower() in SCALE_WORDS or scale_word(context.after, locale)):
        return number(digits, locale, context.after)  # $3 million: the next word says the currency
    return number(digits, locale, currency.many) if said_later else _plain(digits, currency, locale)


def scale_word(word: str, locale: Locale) -> str:
    """The scale that an abbreviation of two or more letters stands for (bn, Mio, mi), or an empty string."""
    low = word.removesuffix(".")
    return locale.scales[low][1] if len(low) > 1 and low in locale.scales else ""


def _plain(amount: str, currency: Currency, locale: Locale) -> list[str]:
    """Twenty-five dollars fifty cents."""
    cents = (
        re.search(r"[.,](\d{2})$", amount) if currency.minor_one or re.search(r"[.,]00$", amount) else None
    )
    whole = amount[: cents.start()] if cents else amount
    if cents and re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", whole):
        whole = re.sub(r"\D", "", whole)
    one = re.sub(r"\D", "", whole).lstrip("0") == "1" and not re.search(r"[.,]\d$", whole)
    name = currency.one if one else currency.many
    zero = not whole.strip("0.,") and cents and int(cents[1])
    words: list[str] = []
    if not zero:
        said = number(whole or "0", locale, name)
        if locale.of and said[-1] == locale.of:
            said = said[:-1]
        words = with_currency(said, name, locale)
    if cents and int(cents[1]):
        words += locale.symbols.get("money_and", "").split() if words else []
        minor = currency.minor_one if cents[1] == "01" else currency.minor_many
        words += [*number(str(int(cents[1])), locale, minor), *minor.split()]
    return words

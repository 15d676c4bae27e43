"""Ranges of months and of days: Oct-Dec, Okt.-Dez., Mon.-Fri., lun-ven."""

from __future__ import annotations

import re

from speechx.text.locales.base import DASH, Locale
from speechx.text.numbers import month_of

# Two languages may share an abbreviation; monday first.
_DAYS = {
    "en": "mon=monday tue=tuesday tues=tuesday wed=wednesday thu=thursday thur=thursday thurs=thursday fri=friday sat=saturday sun=sunday",
    "es": "lun=lunes mar=martes mié=miércoles mie=miércoles jue=jueves vie=viernes sáb=sábado sab=sábado dom=domingo",
    "fr": "lun=lundi mar=mardi mer=mercredi jeu=jeudi ven=vendredi sam=samedi dim=dimanche",
    "de": "mo=montag di=dienstag mi=mittwoch do=donnerstag fr=freitag sa=samstag so=sonntag",
    "it": "lun=lunedì mar=martedì mer=mercoledì gio=giovedì ven=venerdì sab=sabato dom=domenica",
    "pt": "seg=segunda ter=terça qua=quarta qui=quinta sex=sexta sáb=sábado sab=sábado dom=domingo",
}
_DAY_OF = {language: dict(item.split("=") for item in items.split()) for language, items in _DAYS.items()}


def say_range(core: str, locale: Locale) -> list[str] | None:
    """Both ends of a range by name, with "to" between them; None for another word."""
    parts = re.split(f"[-–{DASH}]", core)
    if len(parts) != 2:
        return None
    for name_of in (_month, _day):
        first, last = (name_of(part, locale) for part in parts)
        if first and last and first != last:
            return [*first.split(), *locale.to.split(), *last.split()]
    return None


def _month(part: str, locale: Locale) -> str:
    low = part.lower()
    if len(low.removesuffix(".")) < 3:
        return ""
    return month_of(low, locale) or next((month for month in locale.months if month[:3] == low), "")


def _day(part: str, locale: Locale) -> str:
    """The name of a day. German abbreviations are small words, too (so, mi): these need a capital."""
    if locale.language == "de" and not part[:1].isupper():
        return ""
    return _DAY_OF.get(locale.language, {}).get(part.lower().removesuffix("."), "")

"""French (of France)."""

from __future__ import annotations

from speechx.text.locales.base import Currency, Locale, by_thousands, self_named, table, units

_ONES = (
    "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept dix-huit "
    "dix-neuf"
).split()
_TENS = "vingt trente quarante cinquante soixante".split()
_SCALES = [("un million", "millions"), ("un milliard", "milliards"), ("un billion", "billions")]
_MONTHS = tuple(
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split()
)


def _hundreds(n: int) -> str:
    if n < 20:
        return _ONES[n]
    if n < 70:
        tens, ones = divmod(n, 10)
        return _TENS[tens - 2] + ("" if not ones else " et un" if ones == 1 else f" {_ONES[ones]}")
    if n < 80:
        return "soixante et onze" if n == 71 else f"soixante {_ONES[n - 60]}"
    if n < 100:
        return "quatre vingts" if n == 80 else f"quatre vingt {_ONES[n - 80]}"
    hundreds, rest = divmod(n, 100)
    head = "cent" if hundreds == 1 else f"{_ONES[hundreds]} cent"
    return head + (f" {_hundreds(rest)}" if rest else "")


def cardinal(n: int, noun: bool = False) -> str:
    return by_thousands(n, _hundreds, "mille", _SCALES, bare_thousand=True) or "zéro"


def ordinal(n: int) -> str:
    if n == 1:
        return "premier"
    *head, last = cardinal(n).split()
    last = {"un": "unième", "cinq": "cinquième", "neuf": "neuvième", "vingts": "vingtième"}.get(last) or (
        last.removesuffix("e").removesuffix("s" if last.endswith("ts") else "") + "ième"
    )
    return " ".join([*head, last])


def _date(day: int, month: int, year: int | None) -> str:
    first = "premier" if day == 1 else cardinal(day)
    return f"{first} {_MONTHS[month - 1]}" + (f" {cardinal(year)}" if year is not None else "")


def _time(hour: int, minute: int) -> str:
    hours = "une heure" if hour == 1 else f"{cardinal(hour)} heures"
    return hours.replace("vingt un", "vingt et une") + (f" {cardinal(minute)}" if minute else "")


LOCALE = Locale(
    language="fr",
    cardinal=cardinal,
    ordinal=ordinal,
    year=cardinal,
    date=_date,
    time=_time,
    decimal_mark=",",
    point="virgule",
    minus="moins",
    to="à",
    over="sur",
    dot="point",
    at="arobase",
    months=_MONTHS,
    symbols=table(
        "²=au carré; ³=au cube; &=et; @=arobase; %=pour cent; ‰=pour mille; +=plus; #=numéro; §=paragraphe; °=degrés; ×=fois; "
        "÷=divisé par; ~=environ; ©=copyright; *=étoile; ½=un demi; ¼=un quart; ¾=trois quarts; /=barre; "
        "_=tiret bas; µ=micro"
    )
    | {"=": "égale", "<": "inférieur à", ">": "supérieur à"},
    currencies={
        "€": Currency("euro", "euros", "centime", "centimes"),
        "eur": Currency("euro", "euros", "centime", "centimes"),
        "$": Currency("dollar", "dollars", "cent", "cents"),
        "us$": Currency("dollar", "dollars", "cent", "cents"),
        "usd": Currency("dollar", "dollars", "cent", "cents"),
        "£": Currency("livre", "livres", "penny", "pence"),
        "¥": Currency("yen", "yens"),
        "r$": Currency("réal", "réaux", "centime", "centimes"),
    },
    units=units("""
km=kilomètre/kilomètres; m=mètre/mètres; cm=centimètre/centimètres; mm=millimètre/millimètres; kg=kilo/kilos
g=gramme/grammes; mg=milligramme/milligrammes; l=litre/litres; ml=millilitre/millilitres; h=heure/heures
min=minute/minutes; mn=minute/minutes; s=seconde/secondes; km/h=kilomètre heure/kilomètres heure
°c=degré celsius/degrés celsius; °=degré/degrés; m²=mètre carré/mètres carrés; m2=mètre carré/mètres carrés
km²=kilomètre carré/kilomètres carrés; hz=hertz; khz=kilohertz; w=watt/watts; kw=kilowatt/kilowatts; v=volt/volts
mo=mégaoctet/mégaoctets; go=gigaoctet/gigaoctets; ko=kilooctet/kilooctets; t=tonne/tonnes
"""),
    abbreviations=table("""
m.=monsieur; mm.=messieurs; mme=madame; mme.=madame; mmes=mesdames; mlle=mademoiselle; mlles=mesdemoiselles
dr=docteur; dr.=docteur; pr=professeur; pr.=professeur; me=maître; st.=saint; ste.=sainte; etc.=et cætera
etc=et cætera; p.ex.=par exemple; ex.=exemple; p.=page; pp.=pages; n°=numéro; no.=numéro; nº=numéro; av.=avenue
bd=boulevard; bd.=boulevard; vol.=volume; chap.=chapitre; fig.=figure; art.=article; tél.=téléphone; env.=environ
av.j.-c.=avant jésus-christ; c.-à-d.=c'est-à-dire; vs.=contre; janv.=janvier; févr.=février; juil.=juillet
sept.=septembre; oct.=octobre; nov.=novembre; déc.=décembre; s.v.p.=s'il vous plaît; svp=s'il vous plaît
"""),
    letters=self_named(),
    spelled=frozenset(
        "FBI BBC TV PC UE ONU SNCF TGV GPS TVA DVD CD PDF URL ONG ADN IBM CIA USB USA EU PME PIB RATP".split()
    )
    - {"ONU"},
    ordinal_marks="er|re|ère|e|è|ème|eme|nd|nde|d|de",
    fractions={
        (1, 2): "un demi",
        (1, 3): "un tiers",
        (2, 3): "deux tiers",
        (1, 4): "un quart",
        (3, 4): "trois quarts",
    },
)

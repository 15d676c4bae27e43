"""Italian."""

from __future__ import annotations

from speechx.text.locales.base import Currency, Locale, by_thousands, letter_names, table, units

_ONES = (
    "zero uno due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici quindici sedici "
    "diciassette diciotto diciannove"
).split()
_TENS = "venti trenta quaranta cinquanta sessanta settanta ottanta novanta".split()
_SCALES = [("un milione", "milioni"), ("un miliardo", "miliardi"), ("un bilione", "bilioni")]
_ORDINALS = "primo secondo terzo quarto quinto sesto settimo ottavo nono decimo".split()
_MONTHS = tuple(
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre".split()
)


def _hundreds(n: int) -> str:
    if n < 20:
        return _ONES[n]
    if n < 100:
        tens, ones = divmod(n, 10)
        stem = _TENS[tens - 2]
        if not ones:
            return stem
        return (stem[:-1] if ones in (1, 8) else stem) + ("tré" if ones == 3 else _ONES[ones])
    hundreds, rest = divmod(n, 100)
    head = "cento" if hundreds == 1 else f"{_ONES[hundreds]}cento"
    return head + (f" {_hundreds(rest)}" if rest else "")


def cardinal(n: int, noun: bool = False) -> str:
    if n == 0:
        return _ONES[0]
    words = by_thousands(n, _hundreds, "mila", _SCALES, bare_thousand=True)
    words = (
        f" {words} ".replace(" mila ", " mila ") if not 1000 <= n % 1_000_000 < 2000 else _one_thousand(words)
    )
    words = words.strip()
    return "un" if noun and words == "uno" else words


def _one_thousand(words: str) -> str:
    """One thousand is mille, more are -mila."""
    head, _, tail = words.rpartition("mila")
    return f"{head}mille{tail}"


def ordinal(n: int) -> str:
    if n <= 10:
        return _ORDINALS[n - 1]
    words = cardinal(n)
    if words.endswith("tré"):
        return words[:-1] + "eesimo"
    return (words if words.endswith("sei") else words[:-1]) + "esimo"


def _date(day: int, month: int, year: int | None) -> str:
    first = "primo" if day == 1 else cardinal(day)
    return f"{first} {_MONTHS[month - 1]}" + (f" {cardinal(year)}" if year is not None else "")


def _time(hour: int, minute: int) -> str:
    hours = "una" if hour == 1 else cardinal(hour)
    return hours + (f" e {cardinal(minute)}" if minute else " in punto")


LOCALE = Locale(
    language="it",
    cardinal=cardinal,
    ordinal=ordinal,
    year=cardinal,
    date=_date,
    time=_time,
    decimal_mark=",",
    point="virgola",
    minus="meno",
    to="a",
    over="su",
    dot="punto",
    at="chiocciola",
    months=_MONTHS,
    symbols=table(
        "²=al quadrato; ³=al cubo; &=e; @=chiocciola; %=per cento; ‰=per mille; +=più; #=numero; §=paragrafo; °=gradi; ×=per; "
        "÷=diviso; ~=circa; ©=copyright; *=asterisco; ½=un mezzo; ¼=un quarto; ¾=tre quarti; /=barra; "
        "_=trattino basso; µ=micro; money_and=e"
    )
    | {"=": "uguale", "<": "minore di", ">": "maggiore di"},
    currencies={
        "€": Currency("euro", "euro", "centesimo", "centesimi"),
        "eur": Currency("euro", "euro", "centesimo", "centesimi"),
        "$": Currency("dollaro", "dollari", "centesimo", "centesimi"),
        "us$": Currency("dollaro", "dollari", "centesimo", "centesimi"),
        "usd": Currency("dollaro", "dollari", "centesimo", "centesimi"),
        "£": Currency("sterlina", "sterline", "penny", "pence"),
        "¥": Currency("yen", "yen"),
        "r$": Currency("real", "real", "centesimo", "centesimi"),
    },
    units=units("""
km=chilometro/chilometri; m=metro/metri; cm=centimetro/centimetri; mm=millimetro/millimetri; kg=chilo/chili
g=grammo/grammi; mg=milligrammo/milligrammi; l=litro/litri; ml=millilitro/millilitri; h=ora/ore; min=minuto/minuti
s=secondo/secondi; km/h=chilometro orario/chilometri orari; °c=grado/gradi centigradi; °=grado/gradi
m²=metro quadrato/metri quadrati; m2=metro quadrato/metri quadrati; km²=chilometro quadrato/chilometri quadrati
hz=hertz; khz=chilohertz; w=watt; kw=chilowatt; v=volt; mb=megabyte; gb=gigabyte; t=tonnellata/tonnellate
"""),
    abbreviations=table("""
sig.=signor; sig.ra=signora; sig.na=signorina; sigg.=signori; dott.=dottor; dott.ssa=dottoressa; dr.=dottor
prof.=professor; prof.ssa=professoressa; ing.=ingegner; avv.=avvocato; on.=onorevole; ecc.=eccetera; ecc=eccetera
etc.=eccetera; es.=esempio; p.es.=per esempio; pag.=pagina; pagg.=pagine; n.=numero; nr.=numero; nº=numero; n°=numero
tel.=telefono; art.=articolo; cap.=capitolo; vol.=volume; fig.=figura; c.so=corso; p.zza=piazza; s.=san; ca.=circa
a.c.=avanti cristo; d.c.=dopo cristo; s.p.a.=esse pi a; gen.=gennaio; feb.=febbraio; ott.=ottobre; dic.=dicembre
"""),
    letters=letter_names(
        "a, bi, ci, di, e, effe, gi, acca, i, i lunga, cappa, elle, emme, enne, o, pi, cu, erre, esse, ti, u, vi, "
        "doppia vu, ics, ipsilon, zeta"
    ),
    spelled=frozenset("FBI BBC TV PC UE GPS IVA DVD CD PDF URL DNA IBM USB USA CGIL".split()) - {"IVA"},
    ordinal_marks="º|ª|°|o|a",
    fractions={
        (1, 2): "un mezzo",
        (1, 3): "un terzo",
        (2, 3): "due terzi",
        (1, 4): "un quarto",
        (3, 4): "tre quarti",
    },
)

"""Spanish."""

from __future__ import annotations

from speechx.text.locales.base import Currency, Locale, by_thousands, letter_names, table, units

_ONES = (
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis diecisiete "
    "dieciocho diecinueve veinte veintiuno veintidós veintitrés veinticuatro veinticinco veintiséis veintisiete "
    "veintiocho veintinueve"
).split()
_TENS = "treinta cuarenta cincuenta sesenta setenta ochenta noventa".split()
_HUNDREDS = "ciento doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos novecientos".split()
_SCALES = [("un millón", "millones"), ("mil millones", "mil millones"), ("un billón", "billones")]
_ORDINALS = "primero segundo tercero cuarto quinto sexto séptimo octavo noveno décimo".split()
_MONTHS = tuple(
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split()
)


def _hundreds(n: int) -> str:
    if n < 30:
        return _ONES[n]
    if n < 100:
        tens, ones = divmod(n, 10)
        return _TENS[tens - 3] + (f" y {_ONES[ones]}" if ones else "")
    if n == 100:
        return "cien"
    hundreds, rest = divmod(n, 100)
    return _HUNDREDS[hundreds - 1] + (f" {_hundreds(rest)}" if rest else "")


def _short(n: int) -> str:
    """The form before a noun and before mil or millones: un, veintiún, treinta y un."""
    words = _hundreds(n)
    if words.endswith("veintiuno"):
        return words[:-3] + "ún"
    return words[:-1] if words.endswith("uno") else words


def cardinal(n: int, noun: bool = False) -> str:
    if n == 0:
        return _ONES[0]
    head, last = divmod(n, 1000)
    words = by_thousands(head * 1000, _short, "mil", _SCALES, bare_thousand=True) if head else ""
    tail = (_short(last) if noun else _hundreds(last)) if last else ""
    return f"{words} {tail}".strip()


def ordinal(n: int) -> str:
    return _ORDINALS[n - 1] if n <= 10 else cardinal(n)


def _date(day: int, month: int, year: int | None) -> str:
    first = "primero" if day == 1 else cardinal(day)
    return f"{first} de {_MONTHS[month - 1]}" + (f" de {cardinal(year)}" if year is not None else "")


def _time(hour: int, minute: int) -> str:
    hours = {1: "una", 21: "veintiuna"}.get(hour, cardinal(hour))
    return hours + (f" y {cardinal(minute)}" if minute else " en punto")


LOCALE = Locale(
    language="es",
    cardinal=cardinal,
    ordinal=ordinal,
    year=cardinal,
    date=_date,
    time=_time,
    decimal_mark=",",
    point="coma",
    minus="menos",
    to="a",
    over="sobre",
    dot="punto",
    at="arroba",
    months=_MONTHS,
    symbols=table(
        "²=al cuadrado; ³=al cubo; &=y; @=arroba; %=por ciento; +=más; #=número; §=sección; °=grados; ×=por; ÷=dividido por; ~=unos; "
        "©=copyright; *=asterisco; ½=un medio; ¼=un cuarto; ¾=tres cuartos; /=barra; _=guion bajo; µ=micro; "
        "money_and=con; ~=aproximadamente"
    )
    | {"=": "igual a", "<": "menor que", ">": "mayor que"},
    currencies={
        "€": Currency("euro", "euros", "céntimo", "céntimos"),
        "eur": Currency("euro", "euros", "céntimo", "céntimos"),
        "$": Currency("dólar", "dólares", "centavo", "centavos"),
        "us$": Currency("dólar", "dólares", "centavo", "centavos"),
        "usd": Currency("dólar", "dólares", "centavo", "centavos"),
        "£": Currency("libra", "libras", "penique", "peniques"),
        "¥": Currency("yen", "yenes"),
        "r$": Currency("real", "reales", "centavo", "centavos"),
    },
    units=units("""
km=kilómetro/kilómetros; m=metro/metros; cm=centímetro/centímetros; mm=milímetro/milímetros; kg=kilo/kilos
g=gramo/gramos; mg=miligramo/miligramos; l=litro/litros; ml=mililitro/mililitros; h=hora/horas; hs=hora/horas
min=minuto/minutos; s=segundo/segundos; km/h=kilómetro por hora/kilómetros por hora; °c=grado/grados centígrados
°=grado/grados; m²=metro cuadrado/metros cuadrados; m2=metro cuadrado/metros cuadrados
km²=kilómetro cuadrado/kilómetros cuadrados; hz=hercio/hercios; khz=kilohercio/kilohercios; w=vatio/vatios
kw=kilovatio/kilovatios; v=voltio/voltios; mb=megabyte/megabytes; gb=gigabyte/gigabytes; t=tonelada/toneladas
am=de la mañana; pm=de la tarde; a.m.=de la mañana; p.m.=de la tarde
"""),
    abbreviations=table("""
sr.=señor; sra.=señora; srta.=señorita; sres.=señores; sras.=señoras; dr.=doctor; dra.=doctora; d.=don; dña.=doña
prof.=profesor; profa.=profesora; ing.=ingeniero; lic.=licenciado; ud.=usted; uds.=ustedes; vd.=usted; vds.=ustedes
etc.=etcétera; etc=etcétera; p.ej.=por ejemplo; ej.=ejemplo; pág.=página; págs.=páginas; núm.=número; nº=número
n.º=número; no.=número; av.=avenida; avda.=avenida; c/=calle; art.=artículo; cap.=capítulo; vol.=volumen; fig.=figura
aprox.=aproximadamente; ee.uu.=estados unidos; tel.=teléfono; dpto.=departamento; gral.=general; sto.=santo
sta.=santa; máx.=máximo; mín.=mínimo; s.a.=sociedad anónima; a.c.=antes de cristo; d.c.=después de cristo; vs.=contra
"""),
    letters=letter_names(
        "a, be, ce, de, e, efe, ge, hache, i, jota, ka, ele, eme, ene, o, pe, cu, erre, ese, te, u, uve, uve doble, "
        "equis, i griega, zeta"
    )
    | {"ñ": "eñe"},
    spelled=frozenset("FBI BBC TV PC EE UU UE GPS IVA DVD CD PDF URL ONG ADN IBM CIA USB".split()),
    ordinal_marks="º|ª|er|ero|o|a",
    fractions={
        (1, 2): "un medio",
        (1, 3): "un tercio",
        (2, 3): "dos tercios",
        (1, 4): "un cuarto",
        (3, 4): "tres cuartos",
    },
)

"""Spanish."""

from __future__ import annotations

from speechx.text.locales.base import Locale, by_thousands, letter_names, pairs, table, units
from speechx.text.locales.currencies import currencies

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


def _date(day: int, month: int, year: int | None) -> str:
    first = "primero" if day == 1 else cardinal(day)
    return f"{first} de {_MONTHS[month - 1]}" + (f" de {cardinal(year)}" if year is not None else "")


def _time(hour: int, minute: int) -> str:
    hours = {1: "una", 21: "veintiuna"}.get(hour, cardinal(hour))
    return hours + (f" y {cardinal(minute)}" if minute else " en punto")


_ORDINAL_TEENS = (
    "undécimo duodécimo decimotercero decimocuarto decimoquinto decimosexto decimoséptimo decimoctavo decimonoveno"
).split()
_ORDINAL_TENS = (
    "vigésimo trigésimo cuadragésimo quincuagésimo sexagésimo septuagésimo octogésimo nonagésimo".split()
)
_ORDINAL_HUNDREDS = (
    "centésimo ducentésimo tricentésimo cuadringentésimo quingentésimo sexcentésimo septingentésimo octingentésimo "
    "noningentésimo"
).split()


def ordinal(n: int) -> str:
    if n >= 1000:
        return "milésimo" if n == 1000 else cardinal(n)
    hundreds, rest = divmod(n, 100)
    words = [_ORDINAL_HUNDREDS[hundreds - 1]] if hundreds else []
    if rest > 19:
        words.append(_ORDINAL_TENS[rest // 10 - 2])
        rest %= 10
    if rest:
        words.append((_ORDINALS + _ORDINAL_TEENS)[rest - 1])
    return " ".join(words)


def _fraction(top: int, bottom: int) -> str:
    names = {2: "medio", 3: "tercio", 100: "centésimo", 1000: "milésimo"}
    if not (name := names.get(bottom)):
        joined = cardinal(bottom).replace(" y ", "i").replace(" ", "")
        name = ordinal(bottom) if bottom < 11 else joined.translate(str.maketrans("áéíóú", "aeiou")) + "avo"
    return f"un {name}" if top == 1 else f"{cardinal(top)} {name.replace('aavo', 'avo')}s"


def _monarch(n: int, feminine: bool) -> str:
    return (ordinal(n)[:-1] + ("a" if feminine else "o")) if n <= 10 else cardinal(n)


LOCALE = Locale(
    language="es",
    cardinal=cardinal,
    ordinal=ordinal,
    year=cardinal,
    date=_date,
    time=_time,
    fraction=_fraction,
    monarch=_monarch,
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
    | table(
        "√=raíz cuadrada de; ≈=aproximadamente igual a; ≤=menor o igual que; ≥=mayor o igual que; ≠=distinto de; ±=más menos; ∞=infinito; π=pi; α=alfa; "
        "β=beta; γ=gamma; δ=delta; Δ=delta; λ=lambda; σ=sigma; θ=theta; ω=omega; ^=elevado a; ‰=por mil"
    )
    | {"=": "igual a", "<": "menor que", ">": "mayor que"},
    currencies=currencies("es"),
    units=units(
        "es",
        """
l/100 km=litro cada cien kilómetros/litros cada cien kilómetros
km=kilómetro/kilómetros; m=metro/metros; cm=centímetro/centímetros; mm=milímetro/milímetros; kg=kilo/kilos
g=gramo/gramos; mg=miligramo/miligramos; l=litro/litros; ml=mililitro/mililitros; h=hora/horas; hs=hora/horas
min=minuto/minutos; s=segundo/segundos; km/h=kilómetro por hora/kilómetros por hora; °c=grado/grados centígrados
°=grado/grados; m²=metro cuadrado/metros cuadrados; m2=metro cuadrado/metros cuadrados
km²=kilómetro cuadrado/kilómetros cuadrados; hz=hercio/hercios; khz=kilohercio/kilohercios; w=vatio/vatios
kw=kilovatio/kilovatios; v=voltio/voltios; mb=megabyte/megabytes; gb=gigabyte/gigabytes; t=tonelada/toneladas
am=de la mañana; pm=de la tarde; a.m.=de la mañana; p.m.=de la tarde
""",
    ),
    abbreviations=table("""
sr.=señor; sra.=señora; srta.=señorita; sres.=señores; sras.=señoras; dr.=doctor; dra.=doctora; d.=don; dña.=doña
prof.=profesor; profa.=profesora; ing.=ingeniero; lic.=licenciado; ud.=usted; uds.=ustedes; vd.=usted; vds.=ustedes
etc.=etcétera; etc=etcétera; p.ej.=por ejemplo; ej.=ejemplo; pág.=página; págs.=páginas; núm.=número; nº=número
n.º=número; no.=número; av.=avenida; avda.=avenida; c/=calle; art.=artículo; cap.=capítulo; vol.=volumen; fig.=figura
aprox.=aproximadamente; ee.uu.=estados unidos; tel.=teléfono; dpto.=departamento; ene.=enero; feb.=febrero; abr.=abril; jun.=junio; jul.=julio; ago.=agosto; sept.=septiembre; oct.=octubre; nov.=noviembre; dic.=diciembre; c.p.=código postal; dcha.=derecha; izda.=izquierda; excmo.=excelentísimo; excma.=excelentísima; pza.=plaza; pl.=plaza; ctra.=carretera; s.l.=sociedad limitada; avd.=avenida; gral.=general; sto.=santo
sta.=santa; máx.=máximo; mín.=mínimo; s.a.=sociedad anónima; a.c.=antes de cristo; d.c.=después de cristo; vs.=contra
"""),
    letters=letter_names(
        "a, be, ce, de, e, efe, ge, hache, i, jota, ka, ele, eme, ene, o, pe, cu, erre, ese, te, u, uve, uve doble, "
        "equis, i griega, zeta"
    )
    | {"ñ": "eñe"},
    spelled=frozenset("FBI BBC TV PC EE UU UE GPS IVA DVD CD PDF URL ONG ADN IBM CIA USB IA".split()),
    ordinal_marks="º|ª|er|ero|era|ra|ro|do|da|to|ta|mo|ma|vo|va|no|na|o|a",
    scales=pairs("M=millón/millones; mill=millón/millones; k=mil; K=mil; mm=millón/millones; b=mil millones"),
    joined="y",
    of="de",
    by="por",
    before_number=table("""
s.=siglo; ss.=siglos; n.=número; art.=artículo; arts.=artículos; p.=página; pp.=páginas; cap.=capítulo; fig.=figura; vol.=volumen; ap.=apartado
sec.=sección; ed.=edición; no.=número; núm.=número; km.=kilómetro
"""),
    feminine={"un": "una", "uno": "una", "veintiún": "veintiuna", "veintiuno": "veintiuna"}
    | {word: word[:-2] + "as" for word in _HUNDREDS[1:]},
    feminine_endings=r"(?<!ist)(?:a|as)$|(?:ción|ciones|sión|siones|dad|dades|tad|tades|tud|tudes|umbre|umbres|eces)$",
    feminine_nouns=frozenset(
        "mujer mujeres noche noches vez veces mano manos calle calles clase clases tarde tardes llave llaves parte partes "
        "flor flores imagen imágenes nube nubes red redes torre torres luz luces cruz cruces foto fotos moto motos frase "
        "frases serie series sede sedes base bases fuente fuentes gente muerte muertes voz voces nave naves ley leyes".split()
    ),
    masculine_nouns=frozenset(
        "día días mapa mapas problema problemas sistema sistemas programa programas tema temas idioma idiomas clima climas "
        "planeta planetas poeta poetas drama dramas diagrama diagramas esquema esquemas lema lemas dilema dilemas panorama "
        "poema poemas telegrama telegramas pijama pijamas cometa cometas tranvía tranvías aroma aromas fantasma fantasmas "
        "atleta atletas colega colegas guardia guardias policía policías dólar sofá".split()
    ),
    function_words=frozenset(
        "ahora nunca fuera cerca mañana todavía gracias ayuda de del y o u e a al en por con para que es son no se la el los las lo una su sus como más menos pero ni si ya fue "
        "era contra hasta desde entre sin sobre cuando donde hay ante tras según este esta cada pasa cuesta gana era".split()
    ),
    phone_words=frozenset(
        "llame llama llamar llámame teléfono tel tfno móvil fax marque marca whatsapp llamen".split()
    ),
    clock_words=frozenset(["las"]),
    counted=frozenset(
        "capítulo parte libro tomo volumen acto sección título artículo anexo fase tipo clase grado nivel guerra mundial "
        "escena cap apéndice tabla figura unidad serie bowl sesión".split()
    ),
    address_marks=table(
        "_=guion bajo; -=guion; /=barra; ?=interrogación; &=y; #=almohadilla; %=por ciento; +=más; ~=tilde; :=dos puntos"
    )
    | {"=": "igual a", "\\": "barra invertida"},
)

"""Italian."""

from __future__ import annotations

from speechx.text.locales.base import Locale, by_thousands, letter_names, pairs, table, units
from speechx.text.locales.currencies import currencies

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


def _fraction(top: int, bottom: int) -> str:
    name = {2: "mezzo"}.get(bottom) or ordinal(bottom)
    return f"un {name}" if top == 1 else f"{cardinal(top)} {name[:-1]}i"


def _monarch(n: int, feminine: bool) -> str:
    return ordinal(n)[:-1] + ("a" if feminine else "o")


LOCALE = Locale(
    language="it",
    cardinal=cardinal,
    ordinal=ordinal,
    year=cardinal,
    date=_date,
    time=_time,
    fraction=_fraction,
    monarch=_monarch,
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
    | table(
        "√=radice quadrata di; ≈=circa uguale a; ≤=minore o uguale a; ≥=maggiore o uguale a; ≠=diverso da; ±=più o meno; ∞=infinito; π=pi greco; α=alfa; "
        "β=beta; γ=gamma; δ=delta; Δ=delta; λ=lambda; σ=sigma; θ=theta; ω=omega; ^=alla"
    )
    | {"=": "uguale", "<": "minore di", ">": "maggiore di"},
    currencies=currencies("it"),
    units=units(
        "it",
        """
l/100 km=litro per cento chilometri/litri per cento chilometri
km=chilometro/chilometri; m=metro/metri; cm=centimetro/centimetri; mm=millimetro/millimetri; kg=chilo/chili
g=grammo/grammi; mg=milligrammo/milligrammi; l=litro/litri; ml=millilitro/millilitri; h=ora/ore; min=minuto/minuti
s=secondo/secondi; km/h=chilometro orario/chilometri orari; °c=grado/gradi centigradi; °=grado/gradi
m²=metro quadrato/metri quadrati; m2=metro quadrato/metri quadrati; km²=chilometro quadrato/chilometri quadrati
hz=hertz; khz=chilohertz; w=watt; kw=chilowatt; v=volt; mb=megabyte; gb=gigabyte; t=tonnellata/tonnellate
""",
    ),
    abbreviations=table("""
sig.=signor; sig.ra=signora; sig.na=signorina; sigg.=signori; dott.=dottor; dott.ssa=dottoressa; dr.=dottor
prof.=professor; prof.ssa=professoressa; ing.=ingegner; avv.=avvocato; on.=onorevole; ecc.=eccetera; ecc=eccetera
etc.=eccetera; es.=esempio; p.es.=per esempio; pag.=pagina; pagg.=pagine; n.=numero; nr.=numero; nº=numero; n°=numero
tel.=telefono; art.=articolo; cap.=capitolo; vol.=volume; fig.=figura; c.so=corso; v.le=viale; l.go=largo; sec.=secolo; secc.=secoli; f.lli=fratelli; gent.mo=gentilissimo; mons.=monsignor; p.zza=piazza; s.=san; ca.=circa; apr.=aprile; giu.=giugno; lug.=luglio; ago.=agosto; sett.=settembre; nov.=novembre; geom.=geometra; rag.=ragioniere; sen.=senatore; tel.=telefono; v.=via; int.=interno; min.=minimo; max.=massimo
a.c.=avanti cristo; d.c.=dopo cristo; s.p.a.=esse pi a; gen.=gennaio; feb.=febbraio; ott.=ottobre; dic.=dicembre
"""),
    letters=letter_names(
        "a, bi, ci, di, e, effe, gi, acca, i, i lunga, cappa, elle, emme, enne, o, pi, cu, erre, esse, ti, u, vi, "
        "doppia vu, ics, ipsilon, zeta"
    ),
    spelled=frozenset("FBI BBC TV PC UE GPS IVA DVD CD PDF URL DNA IBM USB USA CGIL IA".split()) - {"IVA"},
    ordinal_marks="º|ª|°|o|a",
    scales=pairs(
        "M=milione/milioni; mln=milione/milioni; mld=miliardo/miliardi; mrd=miliardo/miliardi; k=mila; K=mila"
    ),
    joined="e",
    of="di",
    by="per",
    before_number=table("""
n.=numero; nr.=numero; no.=numero; p.=pagina; pp.=pagine; art.=articolo; artt.=articoli; cap.=capitolo; fig.=figura
vol.=volume; ed.=edizione; tab.=tabella; c.=comma; sez.=sezione; par.=paragrafo; int.=interno; km.=chilometro
"""),
    feminine={"un": "una", "uno": "una"},
    feminine_endings=r"(?<!ist)a$|(?:zione|sione|gione|tà|tù|trice|udine)$",
    feminine_nouns=frozenset(
        "notte mano vite chiave parte classe nave madre moglie gente carne neve torre croce luce pace voce legge rete specie "
        "crisi tesi auto moto foto radio serie base fine frase stazione canzone persona lira rupia corona".split()
    ),
    masculine_nouns=frozenset(
        "problema sistema programma tema clima pianeta poeta dramma schema panorama cinema diploma idioma fantasma aroma "
        "papa collega".split()
    ),
    function_words=frozenset(
        "ancora prima allora di della del dei delle e o a alla al allo ai agli alle in nel nella per con che è sono non si la il le i lo gli da "
        "dal dalla su sul tra fra ma fu era come più meno ha".split()
    ),
    phone_words=frozenset(
        "telefono tel chiama chiami chiamate chiamare fax cellulare cell numero telefona componi".split()
    )
    - {"numero"},
    clock_words=frozenset("alle ore dalle ore le".split()) - {"le"},
    counted=frozenset(
        "capitolo parte libro tomo volume atto sezione titolo articolo allegato fase tipo classe livello guerra mondiale "
        "scena cap tabella figura grado bowl".split()
    ),
    address_marks=table(
        "_=trattino basso; -=trattino; /=barra; ?=punto interrogativo; &=e; #=cancelletto; %=per cento; +=più; ~=tilde; "
        ":=due punti"
    )
    | {"=": "uguale", "\\": "barra rovesciata"},
)

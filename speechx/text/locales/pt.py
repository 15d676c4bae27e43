"""Portuguese (of Brazil)."""

from __future__ import annotations

from speechx.text.locales.base import Currency, Locale, letter_names, table, units

_ONES = (
    "zero um dois três quatro cinco seis sete oito nove dez onze doze treze quatorze quinze dezesseis dezessete dezoito "
    "dezenove"
).split()
_TENS = "vinte trinta quarenta cinquenta sessenta setenta oitenta noventa".split()
_HUNDREDS = (
    "cento duzentos trezentos quatrocentos quinhentos seiscentos setecentos oitocentos novecentos".split()
)
_SCALES = [("mil", "mil"), ("um milhão", "milhões"), ("um bilhão", "bilhões"), ("um trilhão", "trilhões")]
_ORDINALS = "primeiro segundo terceiro quarto quinto sexto sétimo oitavo nono décimo".split()
_ORDINAL_TENS = "décimo vigésimo trigésimo quadragésimo quinquagésimo sexagésimo septuagésimo octogésimo nonagésimo".split()
_MONTHS = tuple(
    "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro".split()
)


def _hundreds(n: int) -> str:
    if n < 20:
        return _ONES[n]
    if n < 100:
        tens, ones = divmod(n, 10)
        return _TENS[tens - 2] + (f" e {_ONES[ones]}" if ones else "")
    if n == 100:
        return "cem"
    hundreds, rest = divmod(n, 100)
    return _HUNDREDS[hundreds - 1] + (f" e {_hundreds(rest)}" if rest else "")


def cardinal(n: int, noun: bool = False) -> str:
    if n < 1000:
        return _hundreds(n)
    groups: list[tuple[int, int]] = []  # (value, power of a thousand), largest first
    power = 0
    while n:
        n, rest = divmod(n, 1000)
        if rest:
            groups.insert(0, (rest, power))
        power += 1
    words: list[str] = []
    for i, (value, power) in enumerate(groups):
        last = i == len(groups) - 1
        # "e" joins the last group if it is small or round: mil e vinte, dois mil e cem.
        if words and last and power == 0 and (value < 100 or value % 100 == 0):
            words.append("e")
        if power == 0:
            words.append(_hundreds(value))
        else:
            one, many = _SCALES[min(power, len(_SCALES)) - 1]
            words.append(one if value == 1 else f"{_hundreds(value)} {many}")
    return " ".join(words)


def ordinal(n: int) -> str:
    if n <= 10:
        return _ORDINALS[n - 1]
    if n < 100:
        tens, ones = divmod(n, 10)
        return _ORDINAL_TENS[tens - 1] + (f" {_ORDINALS[ones - 1]}" if ones else "")
    return cardinal(n)


def _date(day: int, month: int, year: int | None) -> str:
    first = "primeiro" if day == 1 else cardinal(day)
    return f"{first} de {_MONTHS[month - 1]}" + (f" de {cardinal(year)}" if year is not None else "")


def _time(hour: int, minute: int) -> str:
    feminine = {1: "uma", 2: "duas", 21: "vinte e uma", 22: "vinte e duas"}
    hours = f"{feminine.get(hour, cardinal(hour))} {'hora' if hour == 1 else 'horas'}"
    return hours + (f" e {cardinal(minute)}" if minute else "")


LOCALE = Locale(
    language="pt",
    cardinal=cardinal,
    ordinal=ordinal,
    year=cardinal,
    date=_date,
    time=_time,
    decimal_mark=",",
    point="vírgula",
    minus="menos",
    to="a",
    over="sobre",
    dot="ponto",
    at="arroba",
    months=_MONTHS,
    symbols=table(
        "²=ao quadrado; ³=ao cubo; &=e; @=arroba; %=por cento; +=mais; #=número; §=parágrafo; °=graus; ×=vezes; ÷=dividido por; "
        "~=cerca de; ©=copyright; *=asterisco; ½=meio; ¼=um quarto; ¾=três quartos; /=barra; "
        "_=sublinhado; µ=micro; money_and=e"
    )
    | {"=": "igual a", "<": "menor que", ">": "maior que"},
    currencies={
        "r$": Currency("real", "reais", "centavo", "centavos"),
        "€": Currency("euro", "euros", "centavo", "centavos"),
        "eur": Currency("euro", "euros", "centavo", "centavos"),
        "$": Currency("dólar", "dólares", "centavo", "centavos"),
        "us$": Currency("dólar", "dólares", "centavo", "centavos"),
        "usd": Currency("dólar", "dólares", "centavo", "centavos"),
        "£": Currency("libra", "libras", "pêni", "pence"),
        "¥": Currency("iene", "ienes"),
    },
    units=units("""
km=quilômetro/quilômetros; m=metro/metros; cm=centímetro/centímetros; mm=milímetro/milímetros; kg=quilo/quilos
g=grama/gramas; mg=miligrama/miligramas; l=litro/litros; ml=mililitro/mililitros; h=hora/horas; min=minuto/minutos
s=segundo/segundos; km/h=quilômetro por hora/quilômetros por hora; °c=grau/graus célsius; °=grau/graus
m²=metro quadrado/metros quadrados; m2=metro quadrado/metros quadrados; km²=quilômetro quadrado/quilômetros quadrados
hz=hertz; khz=quilohertz; w=watt/watts; kw=quilowatt/quilowatts; v=volt/volts; mb=megabyte/megabytes
gb=gigabyte/gigabytes; t=tonelada/toneladas
"""),
    abbreviations=table("""
sr.=senhor; sra.=senhora; srta.=senhorita; srs.=senhores; dr.=doutor; dra.=doutora; prof.=professor; profa.=professora
d.=dona; exmo.=excelentíssimo; etc.=etcétera; etc=etcétera; p.ex.=por exemplo; ex.=exemplo; pág.=página; págs.=páginas
nº=número; n.º=número; no.=número; av.=avenida; r.=rua; art.=artigo; cap.=capítulo; vol.=volume; fig.=figura
tel.=telefone; aprox.=aproximadamente; eng.=engenheiro; gen.=general; sto.=santo; sta.=santa; vs.=versus; vc=você
a.c.=antes de cristo; d.c.=depois de cristo; ltda.=limitada; s.a.=esse á; máx.=máximo; mín.=mínimo; jan.=janeiro
fev.=fevereiro; abr.=abril; ago.=agosto; set.=setembro; out.=outubro; nov.=novembro; dez.=dezembro
"""),
    letters=letter_names(
        "á, bê, cê, dê, é, efe, gê, agá, i, jota, cá, ele, eme, ene, ó, pê, quê, erre, esse, tê, u, vê, dáblio, xis, "
        "ípsilon, zê"
    ),
    spelled=frozenset("FBI BBC TV PC UE GPS DVD CD PDF URL IBM USB EUA IBGE CPF INSS SUS CNPJ".split())
    - {"SUS"},
    ordinal_marks="º|ª|o|a",
    fractions={
        (1, 2): "um meio",
        (1, 3): "um terço",
        (2, 3): "dois terços",
        (1, 4): "um quarto",
        (3, 4): "três quartos",
    },
)

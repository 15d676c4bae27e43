"""Portuguese (of Brazil)."""

from __future__ import annotations

from speechx.text.locales.base import Locale, letter_names, pairs, table, units
from speechx.text.locales.currencies import currencies

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


def _date(day: int, month: int, year: int | None) -> str:
    first = "primeiro" if day == 1 else cardinal(day)
    return f"{first} de {_MONTHS[month - 1]}" + (f" de {cardinal(year)}" if year is not None else "")


def _time(hour: int, minute: int) -> str:
    feminine = {1: "uma", 2: "duas", 21: "vinte e uma", 22: "vinte e duas"}
    hours = f"{feminine.get(hour, cardinal(hour))} {'hora' if hour == 1 else 'horas'}"
    return hours + (f" e {cardinal(minute)}" if minute else "")


_ORDINAL_HUNDREDS = (
    "centésimo ducentésimo trecentésimo quadringentésimo quingentésimo sexcentésimo septingentésimo octingentésimo "
    "noningentésimo"
).split()


def ordinal(n: int) -> str:
    if n >= 1000:
        return "milésimo" if n == 1000 else cardinal(n)
    hundreds, rest = divmod(n, 100)
    tens, ones = divmod(rest, 10)
    words = [_ORDINAL_HUNDREDS[hundreds - 1]] if hundreds else []
    words += [_ORDINAL_TENS[tens - 1]] if tens else []
    words += [_ORDINALS[ones - 1]] if ones else []
    return " ".join(words)


def _fraction(top: int, bottom: int) -> str:
    names = {2: "meio", 3: "terço", 100: "centésimo", 1000: "milésimo"}
    name = names.get(bottom) or (ordinal(bottom) if bottom < 11 else f"{cardinal(bottom)} avo")
    return f"{cardinal(top)} {name}{'' if top == 1 else 's'}"


def _monarch(n: int, feminine: bool) -> str:
    return (ordinal(n)[:-1] + ("a" if feminine else "o")) if n <= 10 else cardinal(n)


LOCALE = Locale(
    language="pt",
    cardinal=cardinal,
    ordinal=ordinal,
    year=cardinal,
    date=_date,
    time=_time,
    fraction=_fraction,
    monarch=_monarch,
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
    | table(
        "√=raiz quadrada de; ≈=aproximadamente igual a; ≤=menor ou igual a; ≥=maior ou igual a; ≠=diferente de; ±=mais ou menos; ∞=infinito; π=pi; α=alfa; "
        "β=beta; γ=gama; δ=delta; Δ=delta; λ=lambda; σ=sigma; θ=teta; ω=ômega; ^=elevado a; ‰=por mil"
    )
    | {"=": "igual a", "<": "menor que", ">": "maior que"},
    currencies=currencies("pt"),
    units=units(
        "pt",
        """
l/100 km=litro por cem quilômetros/litros por cem quilômetros
km=quilômetro/quilômetros; m=metro/metros; cm=centímetro/centímetros; mm=milímetro/milímetros; kg=quilo/quilos
g=grama/gramas; mg=miligrama/miligramas; l=litro/litros; ml=mililitro/mililitros; h=hora/horas; min=minuto/minutos
s=segundo/segundos; km/h=quilômetro por hora/quilômetros por hora; °c=grau/graus célsius; °=grau/graus
m²=metro quadrado/metros quadrados; m2=metro quadrado/metros quadrados; km²=quilômetro quadrado/quilômetros quadrados
hz=hertz; khz=quilohertz; w=watt/watts; kw=quilowatt/quilowatts; v=volt/volts; mb=megabyte/megabytes
gb=gigabyte/gigabytes; t=tonelada/toneladas
""",
    ),
    abbreviations=table("""
sr.=senhor; sra.=senhora; srta.=senhorita; srs.=senhores; dr.=doutor; dra.=doutora; prof.=professor; profa.=professora
d.=dona; séc.=século; sécs.=séculos; exmo.=excelentíssimo; etc.=etcétera; etc=etcétera; p.ex.=por exemplo; ex.=exemplo; pág.=página; págs.=páginas
nº=número; n.º=número; no.=número; av.=avenida; r.=rua; art.=artigo; cap.=capítulo; vol.=volume; fig.=figura
tel.=telefone; aprox.=aproximadamente; pça.=praça; rod.=rodovia; ex.=exemplo; sra=senhora; exma.=excelentíssima; ed.=edifício; eng.=engenheiro; gen.=general; sto.=santo; sta.=santa; vs.=versus; vc=você
a.c.=antes de cristo; d.c.=depois de cristo; ltda.=limitada; s.a.=esse á; máx.=máximo; mín.=mínimo; jan.=janeiro
fev.=fevereiro; abr.=abril; ago.=agosto; set.=setembro; out.=outubro; nov.=novembro; dez.=dezembro
"""),
    letters=letter_names(
        "á, bê, cê, dê, é, efe, gê, agá, i, jota, cá, ele, eme, ene, ó, pê, quê, erre, esse, tê, u, vê, dáblio, xis, "
        "ípsilon, zê"
    ),
    spelled=frozenset("FBI BBC TV PC UE GPS DVD CD PDF URL IBM USB EUA IBGE CPF INSS SUS CNPJ IA".split())
    - {"SUS"},
    ordinal_marks="º|ª|°|o|a",
    scales=pairs(
        "M=milhão/milhões; mi=milhão/milhões; bi=bilhão/bilhões; tri=trilhão/trilhões; k=mil; K=mil; mil=mil"
    ),
    joined="e",
    of="de",
    by="por",
    before_number=table("""
n.=número; no.=número; art.=artigo; arts.=artigos; p.=página; pp.=páginas; pág.=página; cap.=capítulo; fig.=figura
vol.=volume; ed.=edição; séc.=século; inc.=inciso; ap.=apartamento; apto.=apartamento; tab.=tabela; par.=parágrafo
"""),
    feminine={"um": "uma", "dois": "duas"} | {word: word[:-2] + "as" for word in _HUNDREDS[1:]},
    feminine_endings=r"(?<!ist)(?:a|as)$|(?:ção|ções|ssão|ssões|são|sões|dade|dades|gem|gens|tude|tudes|triz)$",
    feminine_nouns=frozenset(
        "mulher mulheres noite noites vez vezes mão mãos tarde tardes parte partes classe classes chave chaves flor flores "
        "luz luzes cruz cruzes foto fotos moto motos rede redes torre torres frase frases base bases gente lei leis voz vozes "
        "série séries maçã maçãs manhã manhãs irmã irmãs avó avós".split()
    ),
    masculine_nouns=frozenset(
        "dia dias mapa mapas problema problemas sistema sistemas programa programas tema temas idioma idiomas clima climas "
        "planeta planetas poeta poetas grama gramas quilograma quilogramas miligrama miligramas drama dramas diagrama "
        "diagramas cinema cinemas telefonema telefonemas colega colegas poema poemas esquema esquemas pijama pijamas atleta "
        "atletas cometa cometas".split()
    ),
    function_words=frozenset(
        "agora nunca fora ainda obrigada de do da dos das e ou a o as os em no na nos nas por com para que é são não se uma como mais mas até desde entre "
        "sem foi era contra cada pela pelo ao à".split()
    ),
    phone_words=frozenset("ligue liga ligar telefone tel fax celular disque whatsapp contato zap".split()),
    clock_words=frozenset(["às", "as"]) - {"as"},
    counted=frozenset(
        "capítulo parte livro tomo volume ato seção título artigo anexo fase tipo classe nível guerra mundial cena cap tabela "
        "figura grau apêndice bowl inciso".split()
    ),
    address_marks=table(
        "_=sublinhado; -=hífen; /=barra; ?=interrogação; &=e; #=cerquilha; %=por cento; +=mais; ~=til; :=dois pontos"
    )
    | {"=": "igual a", "\\": "barra invertida"},
)

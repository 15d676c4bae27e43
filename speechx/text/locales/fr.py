"""French (of France)."""

from __future__ import annotations

from speechx.text.locales.base import Locale, by_thousands, pairs, self_named, table, units
from speechx.text.locales.currencies import currencies

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
    head = "cent" if hundreds == 1 else f"{_ONES[hundreds]} cent{'' if rest else 's'}"
    return head + (f" {_hundreds(rest)}" if rest else "")


def cardinal(n: int, noun: bool = False) -> str:
    words = by_thousands(n, _hundreds, "mille", _SCALES, bare_thousand=True) or "zéro"
    return words.replace("cents mille", "cent mille").replace("vingts mille", "vingt mille")


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
    return hours.replace("et un ", "et une ") + (f" {cardinal(minute)}" if minute else "")


def _fraction(top: int, bottom: int) -> str:
    names = {2: "demi", 3: "tiers", 4: "quart"}
    name = names.get(bottom) or ordinal(bottom)
    return f"{cardinal(top)} {name}{'' if top == 1 or name.endswith('s') else 's'}"


def _monarch(n: int, feminine: bool) -> str:
    return ("première" if feminine else "premier") if n == 1 else cardinal(n)


LOCALE = Locale(
    language="fr",
    cardinal=cardinal,
    ordinal=ordinal,
    year=cardinal,
    date=_date,
    time=_time,
    fraction=_fraction,
    monarch=_monarch,
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
    | table(
        "√=racine carrée de; ≈=environ égal à; ≤=inférieur ou égal à; ≥=supérieur ou égal à; ≠=différent de; ±=plus ou moins; ∞=infini; π=pi; α=alpha; "
        "β=bêta; γ=gamma; δ=delta; Δ=delta; λ=lambda; σ=sigma; θ=thêta; ω=oméga; ^=puissance"
    )
    | {"=": "égale", "<": "inférieur à", ">": "supérieur à"},
    currencies=currencies("fr"),
    units=units(
        "fr",
        """
l/100 km=litre aux cent kilomètres/litres aux cent kilomètres
km=kilomètre/kilomètres; m=mètre/mètres; cm=centimètre/centimètres; mm=millimètre/millimètres; kg=kilo/kilos
g=gramme/grammes; mg=milligramme/milligrammes; l=litre/litres; ml=millilitre/millilitres; h=heure/heures
min=minute/minutes; mn=minute/minutes; s=seconde/secondes; km/h=kilomètre heure/kilomètres heure
°c=degré celsius/degrés celsius; °=degré/degrés; m²=mètre carré/mètres carrés; m2=mètre carré/mètres carrés
km²=kilomètre carré/kilomètres carrés; hz=hertz; khz=kilohertz; w=watt/watts; kw=kilowatt/kilowatts; v=volt/volts
mo=mégaoctet/mégaoctets; go=gigaoctet/gigaoctets; To=téraoctet/téraoctets; ko=kilooctet/kilooctets; t=tonne/tonnes
""",
    ),
    abbreviations=table("""
m.=monsieur; mm.=messieurs; mme=madame; mme.=madame; mmes=mesdames; mlle=mademoiselle; mlles=mesdemoiselles
dr=docteur; dr.=docteur; mgr=monseigneur; mgr.=monseigneur; pr=professeur; pr.=professeur; me=maître; st.=saint; ste.=sainte; etc.=et cætera
etc=et cætera; p.ex.=par exemple; ex.=exemple; p.=page; pp.=pages; n°=numéro; no.=numéro; nº=numéro; av.=avenue
bd=boulevard; bd.=boulevard; vol.=volume; chap.=chapitre; fig.=figure; art.=article; tél.=téléphone; env.=environ
av.j.-c.=avant jésus christ; ap.j.-c.=après jésus christ; apr.j.-c.=après jésus christ; c.-à-d.=c'est-à-dire; vs.=contre; janv.=janvier; avr.=avril; févr.=février; juil.=juillet
sept.=septembre; oct.=octobre; nov.=novembre; déc.=décembre; s.v.p.=s'il vous plaît; svp=s'il vous plaît
"""),
    letters={**self_named(), "y": "i grec"},
    spelled=frozenset(
        "FBI BBC TV PC UE ONU SNCF TGV GPS TVA DVD CD PDF URL ONG ADN IBM CIA USB USA EU PME PIB RATP IA".split()
    )
    - {"ONU"},
    ordinal_marks="ers?|res?|ères?|eres?|es?|è|[èe]mes?|nde?s?|de?",
    scales=pairs(
        "M=million/millions; Md=milliard/milliards; Mds=milliard/milliards; Mrd=milliard/milliards; k=mille; K=mille"
    ),
    joined="et",
    of="de",
    by="par",
    before_number=table("""
n.=numéro; no.=numéro; p.=page; pp.=pages; art.=article; chap.=chapitre; ch.=chapitre; fig.=figure; vol.=volume; éd.=édition
t.=tome; al.=alinéa; app.=appartement; bât.=bâtiment
"""),
    feminine={"un": "une"},
    feminine_endings=(
        r"(?:tion|sion|ée|ette|esse|ance|ence|ure|ade|ude|ie|ille|elle|tte|sse|nne|mme|ine|aine|euse|rice|ise|ière|que)s?$"
    ),
    feminine_nouns=frozenset(
        "heure heures fois semaine semaines minute minutes seconde secondes année années personne personnes page pages fille "
        "filles table tables chaise chaises maison maisons nuit nuits main mains ville villes école écoles route routes rue "
        "rues église églises chambre chambres porte portes fenêtre fenêtres tasse tasses goutte gouttes place places langue "
        "langues réponse réponses livre livres tonne tonnes mère mères sœur sœurs fête fêtes lettre lettres carte cartes "
        "chose choses classe classes vache vaches région régions journée photo photos voix fin part parts image images "
        "étoile étoiles montre montres plage plages île îles étape étapes tranche tranches roupie roupies couronne couronnes "
        "université universités possibilité activité société qualité unité unités cité cités équipe équipes course courses".split()
    )
    - {"livre", "livres"},
    masculine_nouns=frozenset(
        "homme hommes programme programmes gramme grammes kilogramme kilogrammes musée musées lycée lycées trophée trophées "
        "silence silences génie génies incendie incendies magazine magazines kiosque kiosques domaine domaines chèque chèques "
        "masque masques disque disques risque risques moustique cirque cirques parapluie murmure stade stades grade grades "
        "squelette moteur italie".split()
    ),
    function_words=frozenset(
        "de du des et ou à au aux en par avec pour que est sont ne se la le les une dans sur sous mais fut était contre "
        "jusqu'à depuis entre sans ni si ce cette chaque plus moins comme".split()
    ),
    phone_words=frozenset(
        "appelez appeler appelle tél téléphone fax mobile portable composez numéro joindre".split()
    )
    - {"numéro"},
    counted=frozenset(
        "chapitre partie livre tome volume acte section titre article annexe phase type classe niveau guerre mondiale scène "
        "chap tableau figure étape bowl".split()
    ),
    address_marks=table(
        "_=tiret bas; -=tiret; /=barre; ?=point d'interrogation; &=et; #=dièse; %=pour cent; +=plus; ~=tilde; :=deux points"
    )
    | {"=": "égale", "\\": "antislash"},
)

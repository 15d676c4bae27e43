"""German."""

from __future__ import annotations

from speechx.text.locales.base import Locale, by_thousands, letter_names, pairs, table, units
from speechx.text.locales.currencies import currencies

_ONES = (
    "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn "
    "achtzehn neunzehn"
).split()
_TENS = "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig".split()
_SCALES = [("eine million", "millionen"), ("eine milliarde", "milliarden"), ("eine billion", "billionen")]
_ORDINALS = {1: "erste", 3: "dritte", 7: "siebte", 8: "achte"}
_MONTHS = tuple("januar februar märz april mai juni juli august september oktober november dezember".split())


def _tens(n: int) -> str:
    """1..99; words stay apart (drei und zwanzig), which sounds the same and is easier to read."""
    if n < 20:
        return _ONES[n]
    tens, ones = divmod(n, 10)
    return f"{'ein' if ones == 1 else _ONES[ones]} und {_TENS[tens - 2]}" if ones else _TENS[tens - 2]


def _hundreds(n: int) -> str:
    hundreds, rest = divmod(n, 100)
    head = f"{'ein' if hundreds == 1 else _ONES[hundreds]} hundert" if hundreds else ""
    return f"{head} {_tens(rest) if rest else ''}".strip()


def cardinal(n: int, noun: bool = False) -> str:
    if n == 0:
        return _ONES[0]
    words = by_thousands(n, _hundreds, "tausend", _SCALES, bare_thousand=False)
    words = words.replace("eins tausend", "ein tausend")
    return "ein" if noun and words == "eins" else words


def ordinal(n: int) -> str:
    last = n % 100
    if 0 < last < 20:
        head = cardinal(n - last) if n > last else ""
        return f"{head} {_ORDINALS.get(last) or _ONES[last] + 'te'}".strip()
    return cardinal(n) + "ste"


def year(n: int) -> str:
    if 1100 <= n < 2000:
        century, rest = divmod(n, 100)
        return f"{_ONES[century]} hundert {_tens(rest) if rest else ''}".strip()
    return cardinal(n)


def _date(day: int, month: int, n: int | None) -> str:
    return f"{ordinal(day)}r {_MONTHS[month - 1]}" + (f" {year(n)}" if n is not None else "")


def _time(hour: int, minute: int) -> str:
    hours = "ein uhr" if hour == 1 else f"{cardinal(hour)} uhr"
    return hours + (f" {cardinal(minute)}" if minute else "")


def _fraction(top: int, bottom: int) -> str:
    name = "halb" if bottom == 2 else f"{ordinal(bottom)}l"
    return f"{cardinal(top, True)} {name}{'e' if bottom == 2 and top > 1 else ''}"


def _monarch(n: int, feminine: bool) -> str:
    return f"{'die' if feminine else 'der'} {ordinal(n)}"


LOCALE = Locale(
    language="de",
    cardinal=cardinal,
    ordinal=ordinal,
    year=year,
    date=_date,
    time=_time,
    fraction=_fraction,
    monarch=_monarch,
    decimal_mark=",",
    point="komma",
    minus="minus",
    to="bis",
    over="durch",
    dot="punkt",
    at="ät",
    months=_MONTHS,
    symbols=table(
        "²=hoch zwei; ³=hoch drei; &=und; @=ät; %=prozent; ‰=promille; +=plus; #=nummer; §=paragraf; °=grad; ×=mal; ÷=geteilt durch; "
        "~=ungefähr; ©=copyright; *=stern; ½=ein halb; ¼=ein viertel; ¾=drei viertel; /=schrägstrich; "
        "_=unterstrich; µ=mikro"
    )
    | table(
        "√=wurzel aus; ≈=ungefähr gleich; ≤=kleiner oder gleich; ≥=größer oder gleich; ≠=ungleich; ±=plus minus; ∞=unendlich; π=pi; α=alpha; "
        "β=beta; γ=gamma; δ=delta; Δ=delta; λ=lambda; σ=sigma; θ=theta; ω=omega; ^=hoch"
    )
    | {"=": "gleich", "<": "kleiner als", ">": "größer als"},
    currencies=currencies("de"),
    units=units(
        "de",
        """
l/100 km=liter pro hundert kilometer
km=kilometer; m=meter; cm=zentimeter; mm=millimeter; kg=kilogramm; g=gramm; mg=milligramm; l=liter; ml=milliliter
h=stunde/stunden; std=stunde/stunden; min=minute/minuten; s=sekunde/sekunden; sek=sekunde/sekunden; uhr=uhr
km/h=kilometer pro stunde; °c=grad celsius; °=grad; m²=quadratmeter; m2=quadratmeter; km²=quadratkilometer
hz=hertz; khz=kilohertz; mhz=megahertz; w=watt; kw=kilowatt; v=volt; mb=megabyte; gb=gigabyte; kb=kilobyte; t=tonne/tonnen
mio=million/millionen; mrd=milliarde/milliarden
""",
    ),
    abbreviations=table("""
hr.=herr; hrn.=herrn; fr.=frau; dr.=doktor; dr=doktor; prof.=professor; dipl.=diplom; ing.=ingenieur; z.b.=zum beispiel
d.h.=das heißt; u.a.=unter anderem; usw.=und so weiter; usw=und so weiter; etc.=et cetera; etc=et cetera
bzw.=beziehungsweise; ca.=zirka; ca=zirka; vgl.=vergleiche; s.o.=siehe oben; s.u.=siehe unten; u.ä.=und ähnliches
o.ä.=oder ähnliches; evtl.=eventuell; ggf.=gegebenenfalls; inkl.=inklusive; max.=maximal; min.=minimal; mind.=mindestens
nr.=nummer; str.=straße; tel.=telefon; st.=sankt; abb.=abbildung; bd.=band; kap.=kapitel; jh.=jahrhundert
mio.=millionen; mrd.=milliarden; v.chr.=vor christus; n.chr.=nach christus; i.d.r.=in der regel; z.t.=zum teil
sog.=sogenannte; gegr.=gegründet; geb.=geboren; gest.=gestorben; std.=stunden; jan.=januar; feb.=februar; aug.=august
sept.=september; okt.=oktober; nov.=november; dez.=dezember; mo.=montag; di.=dienstag; mi.=mittwoch; do.=donnerstag
co.=ko; med.=med; phil.=phil; jur.=jur; rer.=rer; nat.=nat; bzgl.=bezüglich; v.a.=vor allem; dipl.-ing.=diplom ingenieur; bspw.=beispielsweise; zzgl.=zuzüglich; abzgl.=abzüglich; einschl.=einschließlich; o.g.=oben genannt; s.g.=so genannt; hl.=heilige; frl.=fräulein; gmbh=geh emm beh hah; vs.=gegen; u.s.w.=und so weiter; m.e.=meines erachtens; a.d.=an der; lt.=laut
"""),
    letters=letter_names(
        "ah, beh, zeh, deh, eh, eff, geh, hah, ih, jott, kah, ell, emm, enn, oh, peh, kuh, err, ess, teh, uh, fau, weh, "
        "iks, üpsilon, zett"
    )
    | {"ä": "äh", "ö": "öh", "ü": "üh", "ß": "esszett"},
    spelled=frozenset(
        "FBI BBC TV PC EU UNO DDR BRD GPS DVD CD PDF URL DNA IBM CIA USB USA ARD ZDF SPD CDU FDP LKW PKW UN KI".split()
    )
    - {"UNO"},
    ordinal_marks="ter|te|ten|tes|ste|sten|ster",
    scales=pairs("""
Mio=million/millionen; Mio.=million/millionen; Mrd=milliarde/milliarden; Mrd.=milliarde/milliarden
Tsd=tausend; Tsd.=tausend; M=million/millionen; k=tausend; K=tausend
"""),
    joined="und",
    by="mal",
    before_number=table("""
s.=seite; abs.=absatz; art.=artikel; nr.=nummer; kap.=kapitel; bd.=band; abb.=abbildung; tab.=tabelle; ziff.=ziffer
hs.=hausnummer; aufl.=auflage; jg.=jahrgang; vol.=volumen; v.=version; anm.=anmerkung; rn.=randnummer; no.=nummer
"""),
    feminine={"ein": "eine", "eins": "eine"},
    feminine_endings=(r"(?:ung|heit|keit|schaft|tät|ion|ik|enz|anz|erei|elei|[rtnz]tin|erin|[^f]e)$"),
    feminine_nouns=frozenset(
        "frau stadt nacht hand wand tür zahl person mark mutter tochter schwester nummer gabel insel mauer kartoffel zwiebel "
        "schüssel bank art form kraft macht maus kuh frucht nuss wurst brust haut luft arbeit zeit welt fahrt antwort feder "
        "steuer leiter butter chance firma pizza kamera oma mama sms mail e-mail tafel übung flasche uhrzeit hilfe stufe "
        "regel formel fabrik musik bahn straßenbahn autobahn burg ecke decke schule".split()
    ),
    masculine_nouns=frozenset(
        "junge name käse ende auge interesse ergebnis erbe kollege kunde experte zeuge löwe hase affe neffe gedanke buchstabe "
        "gebäude gemüse getränke funke friede wille glaube same haufe russe franzose pole däne türke chinese bote sklave "
        "knabe riese falke rabe ochse drache bube gewerbe gelände gebirge stadion million".split()
    )
    - {"million"},
    function_words=frozenset("und oder bis ist sind war".split()),
    phone_words=frozenset(
        "tel telefon telefonnummer ruf rufen rufe anrufen mobil handy fax hotline notruf wählen wähle nummer".split()
    )
    - {"nummer"},
    counted=frozenset(
        "kapitel teil buch band akt abschnitt artikel anhang phase typ klasse stufe weltkrieg szene figur tabelle abbildung "
        "bowl titel gruppe".split()
    ),
    address_marks=table(
        "_=unterstrich; -=minus; /=schrägstrich; ?=fragezeichen; &=und; #=raute; %=prozent; +=plus; ~=tilde; :=doppelpunkt"
    )
    | {"=": "gleich", "-": "bindestrich", "\\": "backslash"},
)

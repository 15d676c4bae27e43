"""Units of measure in all languages: bases, prefixes, powers and quotients (kWh, µm, m³, km/s)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_LANGUAGES = ("en", "es", "fr", "de", "it", "pt")
# symbol | one column a language: one/many; an empty plural repeats the singular.
_BASES = """
m|meter/meters|metro/metros|mètre/mètres|meter/|metro/metri|metro/metros
g|gram/grams|gramo/gramos|gramme/grammes|gramm/|grammo/grammi|grama/gramas
l L|liter/liters|litro/litros|litre/litres|liter/|litro/litri|litro/litros
s|second/seconds|segundo/segundos|seconde/secondes|sekunde/sekunden|secondo/secondi|segundo/segundos
h|hour/hours|hora/horas|heure/heures|stunde/stunden|ora/ore|hora/horas
min|minute/minutes|minuto/minutos|minute/minutes|minute/minuten|minuto/minuti|minuto/minutos
t|ton/tons|tonelada/toneladas|tonne/tonnes|tonne/tonnen|tonnellata/tonnellate|tonelada/toneladas
Hz|hertz/|hercio/hercios|hertz/|hertz/|hertz/|hertz/
W|watt/watts|vatio/vatios|watt/watts|watt/|watt/|watt/watts
Wh|watt hour/watt hours|vatio hora/vatios hora|wattheure/wattheures|wattstunde/wattstunden|wattora/wattore|watt hora/watts hora
V|volt/volts|voltio/voltios|volt/volts|volt/|volt/|volt/volts
A|amp/amps|amperio/amperios|ampère/ampères|ampere/|ampere/|ampere/amperes
Ah|amp hour/amp hours|amperio hora/amperios hora|ampère heure/ampères heures|amperestunde/amperestunden|ampere ora/|ampere hora/amperes hora
Ω|ohm/ohms|ohmio/ohmios|ohm/ohms|ohm/|ohm/|ohm/ohms
J|joule/joules|julio/julios|joule/joules|joule/|joule/|joule/joules
N|newton/newtons|newton/newtons|newton/newtons|newton/|newton/|newton/newtons
Pa|pascal/pascals|pascal/pascales|pascal/pascals|pascal/|pascal/|pascal/pascais
bar|bar/|bar/bares|bar/bars|bar/|bar/|bar/bars
cal|calorie/calories|caloría/calorías|calorie/calories|kalorie/kalorien|caloria/calorie|caloria/calorias
B|byte/bytes|byte/bytes|octet/octets|byte/|byte/|byte/bytes
bit|bit/bits|bit/bits|bit/bits|bit/|bit/|bit/bits
eV|electron volt/electron volts|electronvoltio/electronvoltios|électronvolt/électronvolts|elektronenvolt/|elettronvolt/|elétron volt/elétrons volt
dB|decibel/decibels|decibelio/decibelios|décibel/décibels|dezibel/|decibel/|decibel/decibéis
ha|hectare/hectares|hectárea/hectáreas|hectare/hectares|hektar/|ettaro/ettari|hectare/hectares
mph|mile per hour/miles per hour|milla por hora/millas por hora|mile par heure/miles par heure|meile pro stunde/meilen pro stunde|miglio orario/miglia orarie|milha por hora/milhas por hora
mi|mile/miles|milla/millas|mile/miles|meile/meilen|miglio/miglia|milha/milhas
ft ′|foot/feet|pie/pies|pied/pieds|fuß/|piede/piedi|pé/pés
in ″|inch/inches|pulgada/pulgadas|pouce/pouces|zoll/|pollice/pollici|polegada/polegadas
yd|yard/yards|yarda/yardas|yard/yards|yard/|iarda/iarde|jarda/jardas
lb lbs|pound/pounds|libra/libras|livre/livres|pfund/|libbra/libbre|libra/libras
psi PSI|pound per square inch/pounds per square inch|libra por pulgada cuadrada/libras por pulgada cuadrada|livre par pouce carré/livres par pouce carré|pfund pro quadratzoll/|libbra per pollice quadrato/libbre per pollice quadrato|libra por polegada quadrada/libras por polegada quadrada
oz|ounce/ounces|onza/onzas|once/onces|unze/unzen|oncia/once|onça/onças
gal|gallon/gallons|galón/galones|gallon/gallons|gallone/gallonen|gallone/galloni|galão/galões
kn|knot/knots|nudo/nudos|nœud/nœuds|knoten/|nodo/nodi|nó/nós
°C ℃|degree celsius/degrees celsius|grado/grados centígrados|degré celsius/degrés celsius|grad celsius/|grado/gradi centigradi|grau/graus célsius
°F|degree fahrenheit/degrees fahrenheit|grado fahrenheit/grados fahrenheit|degré fahrenheit/degrés fahrenheit|grad fahrenheit/|grado fahrenheit/gradi fahrenheit|grau fahrenheit/graus fahrenheit
rpm|revolution per minute/revolutions per minute|revolución por minuto/revoluciones por minuto|tour par minute/tours par minute|umdrehung pro minute/umdrehungen pro minute|giro al minuto/giri al minuto|rotação por minuto/rotações por minuto
px|pixel/pixels|píxel/píxeles|pixel/pixels|pixel/|pixel/|pixel/pixels
mol|mole/moles|mol/moles|mole/moles|mol/|mole/moli|mol/mols
"""  # fmt: skip
# prefix | names. Before "metro" Spanish and Portuguese stress the end of the prefix: kilómetro, quilômetro.
_PREFIXES = """
k|kilo|kilo|kilo|kilo|chilo|quilo
M|mega|mega|méga|mega|mega|mega
G|giga|giga|giga|giga|giga|giga
T|tera|tera|téra|tera|tera|tera
P|peta|peta|péta|peta|peta|peta
h|hecto|hecto|hecto|hekto|etto|hecto
d|deci|deci|déci|dezi|deci|deci
c|centi|centi|centi|zenti|centi|centi
m|milli|mili|milli|milli|milli|mili
µ|micro|micro|micro|mikro|micro|micro
n|nano|nano|nano|nano|nano|nano
"""
# Bases and the prefixes they take; other pairs are words (no, do) or other things (PS, DM).
_PREFIXED = {
    "m": "k h d c m µ n", "g": "k h m µ n", "l": "h d c m µ", "L": "m d µ", "s": "m µ n", "Hz": "k M G T m", "W": "k M G T m",
    "Wh": "k M G T", "V": "k M m µ", "A": "k m µ", "Ah": "m", "Ω": "k M m", "J": "k M G m", "N": "k", "Pa": "h k M G",
    "bar": "m", "cal": "k", "B": "k M G T P", "bit": "k M G T", "eV": "k M G T m",
}  # fmt: skip
# Symbols that count in any case: KM, Kg.
_LOOSE = frozenset("km cm mm kg mg ml mph lbs lb oz ft khz mhz ghz kwh min sec hrs mi yd kbit mbit".split())
_POWERS = {
    "en": ("square {one}", "square {many}", "cubic {one}", "cubic {many}"),
    "es": ("{one} cuadrado", "{many} cuadrados", "{one} cúbico", "{many} cúbicos"),
    "fr": ("{one} carré", "{many} carrés", "{one} cube", "{many} cubes"),
    "de": ("quadrat{one}", "quadrat{many}", "kubik{one}", "kubik{many}"),
    "it": ("{one} quadrato", "{many} quadrati", "{one} cubo", "{many} cubi"),
    "pt": ("{one} quadrado", "{many} quadrados", "{one} cúbico", "{many} cúbicos"),
}
_SINGLE = frozenset("mglLhstWV′″°Ω")  # other single letters name flats, grades and sizes
_PERIODS = {
    "en": "second minute hour day week month year".split(),
    "es": "segundo minuto hora día semana mes año".split(),
    "fr": "seconde minute heure jour semaine mois an".split(),
    "de": "sekunde minute stunde tag woche monat jahr".split(),
    "it": "secondo minuto giorno mese".split(),
    "pt": "segundo minuto hora dia semana mês ano".split(),
}
_PER = {"en": "per", "es": "por", "fr": "par", "de": "pro", "it": "al", "pt": "por"}
_POWER = re.compile(r"^(?:(.+?)([²³]|(?<=m)[23])|m([qc]))$")
_ACCENTS = {"es": str.maketrans("oai", "óáí"), "pt": str.maketrans("oai", "ôáí")}


def _column(table: str, language: str) -> dict[str, str]:
    column = _LANGUAGES.index(language) + 1
    rows = (line.split("|") for line in table.strip().splitlines())
    return {symbol: row[column] for row in rows for symbol in row[0].split()}


@dataclass(frozen=True)
class UnitNames:
    """Looks up the name of a unit. `own` are the language's own entries, asked first; case tells M from m."""

    language: str
    own: dict[str, tuple[str, str]]
    _bases: dict[str, tuple[str, str]] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        bases = {symbol: value.split("/") for symbol, value in _column(_BASES, self.language).items()}
        self._bases.update({symbol: (one, many or one) for symbol, (one, many) in bases.items()})
        for prefix, name in _column(_PREFIXES, self.language).items():
            for base, prefixes in _PREFIXED.items():
                if prefix in prefixes.split():
                    self._bases.setdefault(prefix + base, self._with_prefix(name, base))

    def _with_prefix(self, prefix: str, base: str) -> tuple[str, str]:
        if base == "m" and self.language in _ACCENTS:
            prefix = prefix[:-1] + prefix[-1].translate(_ACCENTS[self.language])
        one, many = self._bases[base]
        return prefix + one, prefix + many

    def find(self, symbol: str) -> tuple[str, str] | None:
        """(one, many) of a unit as it is written, or None. "KM" counts as "km", but "M" is not "m"."""
        symbol = symbol.replace("μ", "µ").replace("\x1f", " ")
        if (names := self._plain(symbol)) is not None:
            return names
        top, slash, bottom = symbol.partition("/")
        below = self.find(bottom) or self.period(bottom) if slash else None
        if slash and below and (above := self.find(top)):
            name = below[0]
            if self.language == "en" and bottom[-1] in "²³":
                name = f"{(self.find(bottom[:-1]) or below)[0]} {'squared' if bottom[-1] == '²' else 'cubed'}"
            per = f"{self.per} {name}".replace("al ora", "all'ora")
            return f"{above[0]} {per}", f"{above[1]} {per}"
        if match := _POWER.match(symbol):
            base = self._plain(match[1] or "m")
            square = match[2] in ("²", "2") or match[3] == "q"
            if base and (match[1] or self.language == "it"):
                templates = _POWERS[self.language][0 if square else 2 :][:2]
                one, many = (text.format(one=base[0], many=base[1]) for text in templates)
                return one, many
            return None
        return None

    @property
    def per(self) -> str:
        """The word between a measure and what it is for: km/s, $5/month."""
        return _PER[self.language]

    def period(self, word: str) -> tuple[str, str] | None:
        """(one, one) of a written span of time that something is counted by: litres/day."""
        return (word.lower(), word.lower()) if word.lower() in _PERIODS[self.language] else None

    def _plain(self, symbol: str) -> tuple[str, str] | None:
        low = symbol.lower()
        loose = len(symbol) > 1 and (low in _LOOSE or low in self.own)
        for key in (symbol, low) if loose else (symbol,):
            if len(key) == 1 and key not in _SINGLE:
                return None
            if key in self.own:
                return self.own[key]
            if key in self._bases:
                return self._bases[key]
        return None

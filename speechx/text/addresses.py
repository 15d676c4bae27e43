"""Web and mail addresses, and the abbreviations of American street addresses."""

from __future__ import annotations

import re

from speechx.text.context import TokenContext
from speechx.text.locales.base import Locale, table
from speechx.text.numbers import number

_DOMAINS = "com|org|net|edu|gov|mil|int|info|biz|io|de|fr|es|it|br|pt|uk|eu|ai|dev|app|co|us|ca|ch|at|be|nl|mx|ar|jp|cn|in|au|tv|me"
_ADDRESS = re.compile(
    r"^(?:[a-z][a-z\d+.-]*://|www\.)\S+$"
    r"|^[\w.+-]+@[\w-]+(?:\.[\w-]+)+$"
    rf"|^(?:[a-z\d](?:[a-z\d_-]*[a-z\d])?\.)+(?:{_DOMAINS})(?::\d+)?(?:[/?#]\S*)?$",
    re.IGNORECASE,
)
_SUFFIXES = (
    "txt|md|rst|log|csv|tsv|json|jsonl|ya?ml|toml|ini|cfg|conf|xml|html?|css|js|ts|py|ipynb|java|cpp|php|sql|sh|bat|exe|dll"
    "|pdf|docx?|xlsx?|pptx?|odt|rtf|epub|png|jpe?g|gif|svg|bmp|tiff?|webp|wav|flac|mp3|mp4|m4a|ogg|opus|mkv|avi|webm|zip|tar"
    "|gz|tgz|rar|7z|safetensors|onnx"
)
_NAME = r"[\w.+~@%-]+"
_PATH = re.compile(
    rf"^[a-z]:[\\/](?:{_NAME}[\\/]?)*$"  # C:\Users\anna
    rf"|^\\\\{_NAME}(?:\\{_NAME})+\\?$"  # \\server\share
    rf"|^{_NAME}(?:\\{_NAME})+\\?$"
    rf"|^(?:~|\.\.?)(?:/{_NAME})+/?$"  # ~/data, ./run, ../a
    rf"|^(?:/{_NAME}){{2,}}/?$"  # /usr/bin
    rf"|^/?(?:{_NAME}/)*(?=[^/]*[a-z_])\w[\w-]*(?:\.[\w-]+)*\.(?:{_SUFFIXES})$",  # src/main.py, notes.txt
    re.IGNORECASE,
)
_PLACES = {
    "en": "seat gate room flat apartment apt. unit suite platform track row bay block building terminal level exit body planet",
    "es": "asiento puerta sala habitación piso apartamento fila andén bloque edificio aula",
    "fr": "place siège porte salle chambre appartement quai rang bâtiment voie",
    "de": "platz sitz sitzplatz gate tor zimmer raum wohnung gleis reihe gebäude halle haus klasse",
    "it": "posto porta sala camera stanza appartamento binario fila edificio aula classe",
    "pt": "assento porta portão sala quarto apartamento fila plataforma bloco prédio turma",
}
_PLACE_WORDS = {language: frozenset(words.split()) for language, words in _PLACES.items()}
_STREETS = table("""
ave=avenue; av=avenue; blvd=boulevard; rd=road; st=street; dr=drive; ln=lane; ct=court; pl=place; hwy=highway; pkwy=parkway
sq=square; ter=terrace; cir=circle; trl=trail; aly=alley; expy=expressway; tpke=turnpike; cres=crescent
""")
# These are nothing else after a name; the others need a house number or a direction in front.
_PLAIN_STREETS = frozenset("ave blvd rd hwy pkwy ln expy tpke st dr".split())
_DIRECTIONS = table(
    "n=north; s=south; e=east; w=west; ne=northeast; nw=northwest; se=southeast; sw=southwest"
)
_STREET_WORDS = frozenset(_STREETS.values()) | frozenset(_STREETS)
STATES = table("""
AL=alabama; AK=alaska; AZ=arizona; AR=arkansas; CA=california; CO=colorado; CT=connecticut; DE=delaware; FL=florida
GA=georgia; HI=hawaii; ID=idaho; IL=illinois; IN=indiana; IA=iowa; KS=kansas; KY=kentucky; LA=louisiana; ME=maine
MD=maryland; MA=massachusetts; MI=michigan; MN=minnesota; MS=mississippi; MO=missouri; MT=montana; NE=nebraska
NV=nevada; NH=new hampshire; NJ=new jersey; NM=new mexico; NY=new york; NC=north carolina; ND=north dakota; OH=ohio
OK=oklahoma; OR=oregon; PA=pennsylvania; RI=rhode island; SC=south carolina; SD=south dakota; TN=tennessee; TX=texas
UT=utah; VT=vermont; VA=virginia; WA=washington; WV=west virginia; WI=wisconsin; WY=wyoming; DC=D C
""")
_ZIP = re.compile(r"^\d{5}(?:-\d{4})?$")


def is_path(core: str) -> bool:
    """Whether a written word is the path or the name of a file."""
    return _PATH.match(core) is not None


def say_address(core: str, locale: Locale) -> list[str] | None:
    """A web or mail address or the path of a file: words as they are, every mark by name; None for other words.

    The scheme of an address and the colon after a drive are left out.
    """
    if _ADDRESS.match(core):
        core = re.sub(r"^(?:[a-z][a-z\d+.-]*://|mailto:)", "", core.lower()).rstrip("/")
    elif is_path(core):
        core = re.sub(r"^([a-z]):", r"\1", core.lower()).rstrip("/\\")
    else:
        return None
    words: list[str] = []
    for piece in re.findall(r"[^\W\d_]+|\d+|\S", core):
        if piece == ".":
            words += locale.dot.split()
        elif piece == "@":
            words += locale.at.split()
        elif piece.isdecimal():
            words += number(piece, locale) if len(piece) < 5 else locale.spell(piece)
        elif piece.isalpha():
            words += locale.spell(piece) if piece == "www" or len(piece) == 1 else [piece]
        else:
            words += (locale.address_marks.get(piece) or locale.symbols.get(piece, "")).split()
    return words


def say_street(core: str, locale: Locale, context: TokenContext) -> list[str] | None:
    """American street addresses: 47 Birch Ave, W Lake Dr., Boise, ID 83702."""
    if locale.language != "en" or context.shouting:
        return None
    word = core.removesuffix(".")
    low = word.lower()
    if word in STATES and context.parted and _ZIP.match(context.after):
        return STATES[word].split()
    if _ZIP.match(word) and context.before in STATES:
        return locale.spell(word)
    if is_street(core, context):
        return [_STREETS[low]]
    named = any(after.lower().removesuffix(".") in _STREET_WORDS for after in context.following[1:3])
    if low in _DIRECTIONS and word.isupper() and context.after[:1].isupper() and named:
        return [_DIRECTIONS[low]]
    return None


def is_place_letter(core: str, locale: Locale, context: TokenContext) -> bool:
    """Whether a capital after a number is part of a place: seat 12 A, room 3 L; a litre needs another word in front."""
    return (
        len(core) == 1
        and core.isupper()
        and context.before.isdigit()
        and any(word.lower() in _PLACE_WORDS[locale.language] for word in context.preceding[-3:-1])
    )


def is_street(core: str, context: TokenContext) -> bool:
    """Whether St, Dr, Ave... is a kind of street: after a name, and not before one (Main St. but St. Louis)."""
    low = core.lower().removesuffix(".")
    if low not in _STREETS or context.parted or not core[0].isupper() or core.isupper():
        return False
    before = context.before
    name = (before[:1].isupper() and len(before) > 1) or re.match(r"\d+(?:st|nd|rd|th)$", before)
    if not name or context.before.lower() in (
        "the",
        "in",
        "at",
        "mr",
        "mrs",
        "and",
        "dear",
        "hello",
        "hi",
        "see",
        "ask",
    ):
        return False
    numbered = any(word[:1].isdigit() or word.lower() in _DIRECTIONS for word in context.preceding[:-1])
    ends = context.last or context.closed or not context.after[:1].isupper()
    if low in ("st", "dr"):
        return bool(numbered or (ends and (core.endswith(".") or low == "st")))
    return bool(low in _PLAIN_STREETS or numbered)

"""Texts read by espeak-ng, for languages that were added: it is optional (`pip install 'speechx[espeak]'`, GPL-3.0).

The library keeps its voice in global state, so one lock serves all languages. Its symbols are IPA, which
speechx.text.g2p.ipa turns into phones of the table.
"""

from __future__ import annotations

import ctypes
import importlib
import re
import threading
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path

from speechx.errors import InputError
from speechx.text.g2p.base import Phones
from speechx.text.g2p.ipa import nearest_phones

__all__ = ["ESPEAK_LOCK", "EspeakG2P", "check_espeak_voice", "espeak_library"]

ESPEAK_LOCK = threading.Lock()
_SYNCHRONOUS, _UTF8 = 2, 1
_IPA_SPLIT_BY_UNDERSCORE = ord("_") << 8 | 2
_STRESSES = str.maketrans("", "", "ˈˌ")
_SWITCH = re.compile(r"\([a-z-]+\)")  # of the voice, for a word of another language


@cache
def espeak_library() -> tuple[ctypes.CDLL, int]:
    """espeak-ng as the package espeakng-loader ships it, and the sample rate of its voices. Raises ModuleNotFoundError."""
    package = importlib.import_module("espeakng_loader")
    library = ctypes.CDLL(str(package.get_library_path()))
    data = Path(package.get_data_path())
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, str(data.parent).encode(), 0)
    if rate <= 0:
        raise RuntimeError(f"espeak-ng cannot use its data in {data}")
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    library.espeak_TextToPhonemes.argtypes = [
        ctypes.POINTER(ctypes.c_char_p),
        ctypes.c_int,
        ctypes.c_int,
    ]
    return library, rate


def check_espeak_voice(voice: str, language: str) -> None:
    """Raises InputError where espeak-ng is not installed, or has no such voice."""
    try:
        library, _ = espeak_library()
    except ModuleNotFoundError:
        raise InputError(
            f"language {language!r} is read by espeak-ng, which is not installed: pip install 'speechx[espeak]'",
            field="language",
        ) from None
    with ESPEAK_LOCK:
        missing = library.espeak_SetVoiceByName(voice.encode())
    if missing:
        raise InputError(
            f"phones: espeak-ng has no voice {voice!r}; name one with espeak:VOICE", field="phones"
        )


class EspeakG2P:
    """A phrase is read as a whole where espeak-ng gives as many words back, else word by word."""

    reads_signs = True  # digits, %, &: in the words of the language

    def __init__(self, voice: str, language: str) -> None:
        check_espeak_voice(voice, language)
        self.voice = voice
        self._alone = lru_cache(maxsize=20_000)(lambda word: "_".join(self._read(word)))

    def __call__(self, words: Sequence[str]) -> list[Phones]:
        read = self._read(" ".join(words))
        if len(read) != len(words):
            read = [self._alone(word) for word in words]
        return [
            tuple(phone for symbol in _symbols(word) for phone in nearest_phones(symbol) or ())
            for word in read
        ]

    def knows(self, word: str) -> bool:
        """It reads acronyms by itself."""
        return True

    def unread(self, word: str) -> tuple[str, ...]:
        """The symbols of the word's pronunciation that the phone table has nothing like."""
        return tuple(dict.fromkeys(s for s in _symbols(self._alone(word)) if nearest_phones(s) is None))

    def replaced(self, word: str) -> dict[str, Phones]:
        """The symbols that are not in the table; marks of stress and length are no difference."""
        found = {symbol: nearest_phones(symbol) for symbol in _symbols(self._alone(word))}
        return {
            plain: phones
            for symbol, phones in found.items()
            if phones
            and (plain := symbol.translate(_STRESSES)).removesuffix("ː")
            != "".join(phones).translate(_STRESSES).removesuffix("ː")
        }

    def _read(self, text: str) -> list[str]:
        """Symbols of each word as espeak-ng parts them, with `_` between two symbols."""
        library, _ = espeak_library()
        rest, said = ctypes.c_char_p(text.encode()), list[str]()
        with ESPEAK_LOCK:
            library.espeak_SetVoiceByName(self.voice.encode())
            while rest.value is not None:
                found = library.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, _IPA_SPLIT_BY_UNDERSCORE)
                said.append((found or b"").decode())
        return _SWITCH.sub("", " ".join(said)).replace("-", "").split()


def _symbols(word: str) -> list[str]:
    """The symbols of one word. A digit or a letter of a tone after a vowel is one of its own."""
    return [part for symbol in word.split("_") for part in re.findall(r"[^\d˥˦˧˨˩.]+|[\d˥˦˧˨˩]", symbol)]

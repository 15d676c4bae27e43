"""The phone table."""

from __future__ import annotations

import hashlib

from speechx.text import (
    PHONE_TABLE_VERSION,
    PHONES,
)
from speechx.text.phones import MAX_PHONES, resolve


def test_the_phone_table_is_frozen() -> None:
    """Weights depend on it. Append at the end, raise the version, then change the digest here."""
    digest = hashlib.sha256("\n".join(PHONES[:129]).encode()).hexdigest()
    assert (PHONE_TABLE_VERSION, len(PHONES), digest[:16]) == (1, 129, "2db1b76987bb25c0")
    assert PHONES[:6] == ("<unk>", "_", ",", ".", "?", "!")
    assert len(PHONES) <= MAX_PHONES


def test_foreign_symbols_find_the_nearest_phone() -> None:
    assert resolve("t͡ʃ") == ("tʃ",)
    assert resolve("ˈɜː") == ("ˈɚ",)
    assert resolve("d̪") == ("d",)  # a diacritic falls off
    assert resolve("ɐ̃w̃") == resolve("ɐ̃") + resolve("w̃")
    assert resolve("☃") == ("<unk>",)

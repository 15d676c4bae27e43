"""Text front end: normalization, sentences, phones of six languages, and the frozen phone table."""

from speechx.text.frontend import MAX_CHARS, PhoneSequence, TextFrontend, Word, check_text
from speechx.text.g2p import LANGUAGES
from speechx.text.phones import PHONE_IDS, PHONE_TABLE_VERSION, PHONES, unstressed_ids

__all__ = [
    "LANGUAGES",
    "MAX_CHARS",
    "PHONES",
    "PHONE_IDS",
    "PHONE_TABLE_VERSION",
    "PhoneSequence",
    "TextFrontend",
    "Word",
    "check_text",
    "unstressed_ids",
]

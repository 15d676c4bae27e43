"""Text front end: normalization, sentences, phones of six languages, and the frozen phone table."""

from speechx.text.diff import WordEdit, diff_words
from speechx.text.frontend import MAX_CHARS, TextFrontend, check_text
from speechx.text.languages import LANGUAGES
from speechx.text.phones import PHONE_IDS, PHONE_TABLE_VERSION, PHONES
from speechx.text.say import say, text_warning, unsaid_words
from speechx.text.sentences import MAX_SENTENCE_CHARS, split_sentences
from speechx.text.types import PhoneSequence, Word, WordTime

__all__ = [
    "LANGUAGES",
    "MAX_CHARS",
    "MAX_SENTENCE_CHARS",
    "PHONES",
    "PHONE_IDS",
    "PHONE_TABLE_VERSION",
    "PhoneSequence",
    "TextFrontend",
    "Word",
    "WordEdit",
    "WordTime",
    "check_text",
    "diff_words",
    "say",
    "split_sentences",
    "text_warning",
    "unsaid_words",
]

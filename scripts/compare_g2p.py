"""Compare grapheme-to-phone libraries with espeak on the same sentences (development only; espeak is GPL).

    python scripts/compare_g2p.py --metadata DATA/*/metadata.jsonl --texts more/ --limit 200 [--show 30] [--language it]

Sentences are the `text` of metadata rows and the lines of more/<language>.txt. They are normalized by SpeechX first, so
that every candidate reads the same words; the phones of all go through the frozen table, without stress, long marks and
a few symbols on which transcriptions differ by custom. Prints phone error rate against espeak, words/s and failures.
Candidates that are not installed are skipped: gruut[es,fr,de,it,pt], piper-plus-g2p, kokorog2p.
"""

from __future__ import annotations

import argparse
import collections
import json
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from speechx.text import LANGUAGES, TextFrontend
from speechx.text import g2p as ours
from speechx.text.frontend import _readable
from speechx.text.normalize import tokenize
from speechx.text.phones import resolve, strip_stress

Phrase = list[str]
Candidate = Callable[[Sequence[Phrase]], list[list[str]]]  # phrases of words -> phones of each phrase

# Differences of custom, not of pronunciation; applied to all sides alike.
_SAME = {
    "ɐ": "a", "ɑ": "a", "ə": "ə", "ʌ": "ə", "ɪ": "i", "ʊ": "u", "ʏ": "y", "ɛ": "e", "ɔ": "o", "œ": "ø", "æ": "a", "ɚ": "əɹ",
    "β": "b", "ð": "d", "ɣ": "ɡ", "ʝ": "j", "r": "ɾ", "ʁ": "ɾ", "ɹ": "ɾ", "x": "x", "œ̃": "ɛ̃",
}  # fmt: skip


def common(symbols: Iterable[str], language: str) -> list[str]:
    """Phones on which all can agree: no stress, no length, one r, lax and tense vowels joined (not English th)."""
    out: list[str] = []
    for symbol in symbols:
        if language == "de" and symbol == "ɜ":  # espeak's vocalized r
            symbol = "ɐ"
        for phone in resolve(symbol):
            phone = strip_stress(phone)
            if phone in ("<unk>", "ʔ", ",", ".", "?", "!", "_"):
                continue
            if language == "de" and phone in ("ɐ", "ɐ̯"):
                phone = "ʁ"
            if language == "en" and phone == "ð":
                out.append(phone)
                continue
            phone = _SAME.get(phone.removesuffix("ː"), phone.removesuffix("ː"))
            parts = list(phone) if phone in ("əɹ",) else [phone]
            out += [part.replace("ɹ", "ɾ") for part in parts]
    if language == "pt":  # espeak: -e is y, a coda r has a schwa, ʎ is lj, a nasal e is eɪŋ
        out = [
            {"y": "i"}.get(p, p)
            for p, before in zip(out, ["", *out], strict=False)
            if not (p == "ə" and before == "ɾ")
        ]
        out = (
            " ".join(out)
            .replace("ʎ", "l j")
            .replace("ẽ j̃", "ẽ")
            .replace("eɪ ŋ", "ẽ")
            .replace("eɪ m", "ẽ m")
            .split()
        )
    # Nasal vowel against vowel + nasal, glide against vowel, doubled against long consonants.
    text = " ".join(out).replace("\u0303", " n")
    pieces = [{"j": "i", "w": "u", "ŋ": "n", "ɲ": "n"}.get(piece, piece) for piece in text.split()]
    split = [
        part
        for piece in pieces
        for part in {"aɪ": "a i", "eɪ": "e i", "oʊ": "o u", "aʊ": "a u", "ɔɪ": "o i"}.get(
            piece, piece
        ).split()
    ]
    return [p for p, before in zip(split, ["", *split], strict=False) if p != before]


def ipa_segments(text: str) -> list[str]:
    """A string of IPA cut into symbols: affricates and diphthongs of the table first, then single characters."""
    import re

    pattern = "t͡?ʃ|d͡?ʒ|t͡?s|d͡?z|p͡?f|[^\\W\\d_][\u0300-\u036fːˑʰʲ]*"
    text = text.replace("ʧ", "tʃ").replace("ʤ", "dʒ").replace("ʣ", "dz").replace("ʦ", "ts").replace("ɡ", "ɡ")
    return re.findall(pattern, re.sub(r"[ˈˌ‖|,.?!;:¿¡\- ]", "", text.replace("g", "ɡ")))


def speechx_candidate(language: str) -> Candidate:
    backend = ours.load(language)
    return lambda phrases: [[p for word in backend(phrase) for p in word] for phrase in phrases]


def espeak_candidate(language: str) -> Candidate:
    import espeakng_loader
    from phonemizer.backend import EspeakBackend
    from phonemizer.backend.espeak.wrapper import EspeakWrapper

    EspeakWrapper.set_library(espeakng_loader.get_library_path())
    EspeakWrapper.set_data_path(espeakng_loader.get_data_path())
    voice = {"en": "en-us", "fr": "fr-fr", "pt": "pt-br"}.get(language, language)
    backend = EspeakBackend(voice, language_switch="remove-flags")
    return lambda phrases: [ipa_segments(said) for said in backend.phonemize([" ".join(p) for p in phrases])]


def gruut_candidate(language: str) -> Candidate:
    from gruut import sentences

    def run(phrases: Sequence[Phrase]) -> list[list[str]]:
        return [
            [
                p
                for s in sentences(" ".join(phrase), lang=language)
                for word in s
                for p in word.phonemes or ()
                if p not in "|‖"
            ]
            for phrase in phrases
        ]

    return run


def piper_candidate(language: str) -> Candidate:
    from piper_plus_g2p import get_phonemizer

    phonemizer = get_phonemizer(language)
    return lambda phrases: [
        ipa_segments("".join(phonemizer.phonemize(" ".join(phrase)))) for phrase in phrases
    ]


def kokoro_candidate(language: str) -> Candidate:
    from kokorog2p import get_g2p

    backend = get_g2p({"en": "en-us", "pt": "pt-br"}.get(language, language))
    return lambda phrases: [ipa_segments(str(backend.phonemize(" ".join(phrase)))) for phrase in phrases]


CANDIDATES = {
    "speechx": speechx_candidate,
    "gruut": gruut_candidate,
    "piper-plus-g2p": piper_candidate,
    "kokorog2p": kokoro_candidate,
}


def distance(a: Sequence[str], b: Sequence[str]) -> int:
    """Levenshtein distance of two phone strings."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return row[-1]


def sentences_of(language: str, metadata: list[Path], texts: Path | None, limit: int) -> list[str]:
    found: dict[str, None] = {}
    for path in metadata:
        for line in path.read_text().splitlines():
            row = json.loads(line)
            if row.get("text") and row.get("language") == language:
                found[row["text"]] = None
    if texts and (texts / f"{language}.txt").exists():
        for line in (texts / f"{language}.txt").read_text().splitlines():
            found |= {line: None} if line.strip() else {}
    every = list(found)
    own = every[:: max(1, len(every) // limit)] if len(every) > limit else every
    return own[:limit]


def phrases_of(text: str, language: str) -> Phrase:
    """The words of a sentence as the front end gives them to a back end."""
    backend = ours.load(language)
    return [
        word.lower() for token in tokenize(text, language) for word in _readable(token, backend, language)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--metadata", type=Path, nargs="*", default=[])
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--language", choices=LANGUAGES, action="append")
    parser.add_argument(
        "--show", type=int, default=0, help="print the words that differ most often from espeak"
    )
    args = parser.parse_args()
    for language in args.language or LANGUAGES:
        texts = sentences_of(language, args.metadata, args.texts, args.limit)
        for text in texts:
            TextFrontend()(text, language)
        phrases = [phrases_of(text, language) for text in texts]
        words = sum(map(len, phrases))
        reference = [common(p, language) for p in espeak_candidate(language)(phrases)]
        total = sum(map(len, reference))
        print(f"{language}: {len(texts)} sentences, {words} words, {total} phones by espeak")
        for name, make in CANDIDATES.items():
            try:
                candidate = make(language)
                candidate(phrases[:1])
            except Exception as error:
                print(f"  {name:16} not available: {type(error).__name__} {str(error)[:80]!r}")
                continue
            begin = time.perf_counter()
            said = [common(p, language) for p in candidate(phrases)]
            seconds = time.perf_counter() - begin
            errors = sum(distance(a, b) for a, b in zip(reference, said, strict=True))
            empty = sum(not phones for phones in said)
            print(
                f"  {name:16} PER {100 * errors / total:5.1f} %  {words / seconds:8.0f} words/s  {empty} failures"
            )
        if args.show:
            show(phrases, language, args.show)


def show(phrases: list[Phrase], language: str, limit: int) -> None:
    counts = collections.Counter(word for phrase in phrases for word in phrase)
    alone = [[word] for word in counts]
    said = speechx_candidate(language)(alone)
    wanted = espeak_candidate(language)(alone)
    rows = []
    for [word], a, b in zip(alone, said, wanted, strict=True):
        errors = distance(common(a, language), common(b, language))
        if errors:
            rows.append((errors * counts[word], word, "".join(a), "".join(b)))
    for cost, word, a, b in sorted(rows, reverse=True)[:limit]:
        print(f"    {cost:4} {word:20} {a:24} espeak {b}")


if __name__ == "__main__":
    main()

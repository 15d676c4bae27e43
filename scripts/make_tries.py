"""Requests of speech in the voices of packs, and a corpus of the outputs: the aligner learns from what is said wrong, too.

    python scripts/make_tries.py PACK... --count en=1500 --count es=1300 --out TRIES
    speechx batch TRIES/manifest.jsonl --output TRIES/sound
    python scripts/make_tries.py --collect --out TRIES
    speechx data prepare TRIES --output PACK, then `speechx data transcribe` and `speechx data encode`

Texts are those of the recordings, 12 to 110 letters long, or 5 to 14 words out of a longer one, or those of `--texts`,
a JSONL file of `language` and `text`. Half of the voices speak the language of the text. The corpus has no texts: a
recognizer says what is heard. Requests in voices of the dev split compare models (compare_tries.py).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from speechx.audio import writing
from speechx.data.packs import AudioPack, PackRow
from speechx.files import atomic_write, read_json_lines

FEWEST, MOST = 12, 110  # letters of a text
SHORTEST, LONGEST = 2.5, 8.0  # seconds of a voice
SAME_LANGUAGE = 0.5


def texts_of(
    rows: list[PackRow], language: str, rng: np.random.Generator, more: dict[str, list[str]]
) -> list[str]:
    """Texts of recordings in one language, or those of `more`, in random order."""
    if language in more:
        return list(rng.permutation(more[language]))
    found = set()
    for row in rows:
        text, words = row.text or "", (row.text or "").split()
        if row.language != language:
            continue
        if len(text) > MOST:
            count = int(rng.integers(5, 15))
            first = int(rng.integers(max(1, len(words) - count + 1)))
            text = " ".join(words[first : first + count]).strip(" ,;:.")
            text = text[:1].upper() + text[1:] + "."
        if FEWEST <= len(text) <= MOST:
            found.add(text)
    return list(rng.permutation(sorted(found)))


def read_texts(path: Path | None) -> dict[str, list[str]]:
    """Texts of a JSONL file by language."""
    found: dict[str, list[str]] = {}
    for row in read_json_lines(path, "texts") if path else ():
        found.setdefault(row["language"], []).append(row["text"])
    return found


def make_requests(
    packs: list[AudioPack],
    counts: dict[str, int],
    out: Path,
    seed: int,
    split: str,
    more: dict[str, list[str]],
) -> None:
    """Writes OUT/manifest.jsonl and the recordings of its voices."""
    if (out / "manifest.jsonl").exists():
        raise SystemExit(f"{out} has requests already: choose another folder, or --collect their outputs")
    rng = np.random.default_rng(seed)
    speech = [(pack, row) for pack in packs for row in pack.rows if row.split == split and row.speaker]
    voices = [(pack, row) for pack, row in speech if SHORTEST <= row.seconds <= LONGEST]
    lines = []
    (out / "voices").mkdir(parents=True, exist_ok=True)
    for language, count in counts.items():
        texts = texts_of([row for _, row in speech], language, rng, more)
        own = [voice for voice in voices if voice[1].language == language]
        if not texts or not voices:
            raise SystemExit(f"{language}: no {split} recording of it is in these packs")
        for number in range(count):
            choice = own if own and rng.random() < SAME_LANGUAGE else voices
            pack, voice = choice[int(rng.integers(len(choice)))]
            name = f"{language}{number:05d}"
            writing.write(out / f"voices/{name}.wav", pack.audio(voice), pack.sample_rate)
            lines.append(
                {
                    "id": name, "task": "tts", "text": texts[number % len(texts)], "language": language,
                    "voice": f"voices/{name}.wav", "seed": int(rng.integers(2**31)), "best_of": 1,
                }
            )  # fmt: skip
    order = rng.permutation(len(lines))
    text = "".join(json.dumps(lines[i], ensure_ascii=False) + "\n" for i in order)
    atomic_write(out / "manifest.jsonl", text.encode())
    print(f"{len(lines)} requests in {out / 'manifest.jsonl'}")


def collect(out: Path) -> None:
    """Writes OUT/metadata.jsonl: each sound in OUT/sound, its language, and no text."""
    lines = []
    for row in read_json_lines(out / "manifest.jsonl", "out"):
        path = f"sound/{row['id']}.wav"
        if (out / path).is_file():
            lines.append(
                {"id": row["id"], "audio": path, "language": row["language"], "speaker": f"try-{row['id']}"}
            )
    atomic_write(out / "metadata.jsonl", "".join(json.dumps(line) + "\n" for line in lines).encode())
    print(f"{len(lines)} sounds in {out / 'metadata.jsonl'}")


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("packs", nargs="*", type=Path, metavar="PACK")
    parser.add_argument("--count", action="append", default=[], metavar="LANGUAGE=N")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--split", default="train", help="of the voices and texts (default: train)")
    parser.add_argument("--texts", type=Path, help="other texts")
    parser.add_argument("--collect", action="store_true", help="list the sounds that are there")
    options = parser.parse_args()
    if options.collect:
        collect(options.out)
        return
    counts = {language: int(count) for language, count in (each.split("=") for each in options.count)}
    packs = [AudioPack(pack) for pack in options.packs]
    make_requests(packs, counts, options.out, options.seed, options.split, read_texts(options.texts))


if __name__ == "__main__":
    main()

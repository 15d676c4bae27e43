"""Compares what two models said, request by request and language by language: word error rate and likeness to the voice.

    python scripts/make_tries.py PACK... --split dev --count en=100 --count es=100 --out SET
    python scripts/hear_tries.py SET/manifest.jsonl --out a.jsonl --tries 1 --model A       # then the same of B
    python scripts/compare_tries.py a.jsonl b.jsonl

Means of the tries of both files' requests, with 95 % intervals of the difference over requests. The word error rate of a try
is 100 % at most: one transcript that repeats itself would outweigh the rest.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from speechx.eval.metrics.bootstrap import paired
from speechx.eval.metrics.words import wer_counts
from speechx.files import read_json_lines


def read(path: Path) -> dict[str, list[dict[str, Any]]]:
    """The lines of each request."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in read_json_lines(path, "tries"):
        found[row["id"]].append(row)
    return found


def error_rate(row: dict[str, Any]) -> float:
    """Of a try, in percent, 100 at most."""
    return 100 * min(1.0, wer_counts(row["text"], row["heard"], row["language"]).wer.value or 0.0)


def table(a: dict[str, list[dict[str, Any]]], b: dict[str, list[dict[str, Any]]]) -> list[str]:
    """A line for each language, and one for all."""
    common = [name for name in a if name in b]
    if not common:
        raise SystemExit("the two files have no request in common")
    languages = {name: a[name][0]["language"] for name in common}
    lines = ["| | requests | WER before, now, % | cosine before, now |", "|---|---|---|---|"]
    for language in [*sorted(set(languages.values())), None]:
        names = [name for name in common if language in (None, languages[name])]
        words = [len(a[name][0]["text"].split()) for name in names]
        cells = []
        for measure, digits in ((error_rate, 1), (lambda row: float(row["cosine"]), 3)):
            before, now = ([float(np.mean([measure(r) for r in side[n]])) for n in names] for side in (a, b))
            weights = [float(w) for w in words] if measure is error_rate else None
            change = paired(before, now, weights)
            assert change is not None
            means = [f"{np.average(side, weights=weights):.{digits}f}" for side in (before, now)]
            cells.append(f"{', '.join(means)} [{change.low:+.{digits}f}, {change.high:+.{digits}f}]")
        lines.append(f"| {language or 'all'} | {len(names)} | {' | '.join(cells)} |")
    lines.append(f"\nonly before: {len(a.keys() - b.keys())} requests, only now: {len(b.keys() - a.keys())}")
    return lines


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    print("\n".join(table(read(Path(sys.argv[1])), read(Path(sys.argv[2])))))

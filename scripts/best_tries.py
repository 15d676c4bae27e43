"""Makes training pairs of the best outputs: of each request the try in which every word was understood, in the likest voice.

    python scripts/hear_tries.py TRIES/manifest.jsonl --out TRIES/heard.jsonl
    python scripts/best_tries.py TRIES/heard.jsonl --out shards/tries

They are for `speechx train lm --start-from` (rejection sampling; for text: Touvron et al. 2023, section 3.2.2).
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from speechx.data.shards import ShardWriter
from speechx.data.tries import read_pair
from speechx.files import read_json_lines
from speechx.models.codec.sources import open_codec
from speechx.text import PHONE_TABLE_VERSION

LEAST_COSINE = 0.6
"""Of speaker embeddings, to the voice of the request."""


def best_of(rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The try in which all words were understood, in the likest voice; None where there is none."""
    whole = [row for row in rows if row["wer"] == 0 and row["cosine"] >= LEAST_COSINE]
    return max(whole, key=lambda row: float(row["cosine"]), default=None)


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("heard", type=Path)
    parser.add_argument(
        "--codec", default="box", help="of the model that said them (default: the packaged one)"
    )
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    requests: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in read_json_lines(options.heard, "heard"):
        requests[row["id"]].append(row)
    counts: Counter[str] = Counter()
    codec_hash = open_codec(options.codec).hash
    with ShardWriter(options.out, "tries", codec_hash, PHONE_TABLE_VERSION) as writer:
        for rows in requests.values():
            best = best_of(rows)
            if best is not None:
                writer.add(read_pair(best, codec_hash))
                counts[best["language"]] += 1
    print(f"{counts.total()} of {len(requests)} requests: {dict(counts)}")


if __name__ == "__main__":
    main()

"""scripts/hear_tries.py, best_tries.py, compare_tries.py: what was understood, the best of it, and two models compared."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from speechx.data.shards import Shards
from speechx.data.tries import try_row
from speechx.eval.metrics.words import wer_counts
from speechx.models.codec.folder import save_codec
from speechx.models.codec.spectral import SpectralCodec
from speechx.text import TextFrontend

SCRIPTS = Path(__file__).parents[3] / "scripts"


def script(name: str) -> dict[str, Any]:
    return runpy.run_path(str(SCRIPTS / f"{name}.py"), run_name=name)


def test_words_that_were_understood() -> None:
    words_of, speech = script("hear_tries")["words_of"], TextFrontend()("Don't stop the music.", "en")
    text = "Don't stop the music."
    words = words_of(speech, text, wer_counts(text, "Do not stop a music", "en"))
    assert [right for _, _, right in words] == [True, True, False, True], (
        "two words of the recognizer are one of ours"
    )
    assert [speech.phones[start:stop] for start, stop, _ in words] == [
        speech.phones[word.start : word.stop] for word in speech.words
    ]
    other = "Stop the music."
    assert words_of(speech, other, wer_counts(other, other, "en")) is None


def test_the_best_try_of_each_request(
    shards: Shards, codec: SpectralCodec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = [  # request, word error rate, cosine
        ("a", 0.0, 0.7), ("a", 0.0, 0.8), ("a", 0.5, 0.9),
        ("b", 0.2, 0.9),
        ("c", 0.0, 0.5),
    ]  # fmt: skip
    lines = [
        json.dumps(
            {"id": name, "language": "en", "wer": wer, "cosine": cosine}
            | try_row(shards[i], [(0, 1, True)], codec.hash)
        )
        for i, (name, wer, cosine) in enumerate(said)
    ]
    (tmp_path / "heard.jsonl").write_text("\n".join(lines))
    arguments = [tmp_path / "heard.jsonl", "--codec", tmp_path / "codec", "--out", tmp_path / "best"]
    save_codec(codec, tmp_path / "codec")
    monkeypatch.setattr(sys, "argv", ["best_tries.py", *map(str, arguments)])
    runpy.run_path(str(SCRIPTS / "best_tries.py"), run_name="__main__")
    (best,) = Shards([tmp_path / "best"], codec.hash)
    assert np.array_equal(best.target_FK, shards[1].target_FK), "b was misunderstood, c is another voice"


def test_two_models_compared() -> None:
    table = script("compare_tries")["table"]
    line = {"id": "a", "language": "es", "text": "uno dos tres cuatro", "cosine": 0.7}
    before = {"a": [line | {"heard": "uno dos"}], "b": [line | {"id": "b", "heard": "uno dos tres cuatro"}]}
    now = {"a": [line | {"heard": "uno dos tres cuatro"}, line | {"heard": "no " * 9}]}
    rows = table(before, now)
    assert rows[2].startswith("| es | 1 | 50.0, 50.0 [+0.0, +0.0] | 0.700, 0.700 "), (
        "nine wrong words count as four"
    )
    assert rows[3].startswith("| all | 1 |")
    assert rows[-1].endswith("only before: 1 requests, only now: 0")

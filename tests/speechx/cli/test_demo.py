"""The demo page and its sample recordings."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from speechx.api import SpeechX
from speechx.cli.demo import SEEDS, choice, marked
from speechx.cli.main import main
from speechx.cli.samples import sample_requests
from speechx.task import registry


@pytest.fixture
def sx(pipeline: Any, monkeypatch: pytest.MonkeyPatch) -> SpeechX:
    loaded = SpeechX(pipeline)
    monkeypatch.setattr(SpeechX, "load", classmethod(lambda cls, *_, **__: loaded))
    return loaded


def test_samples_show_every_task() -> None:
    samples = sample_requests()
    assert len(samples) == 7 and {s.task for s in samples} == set(registry.task_names())
    for sample in samples:
        registry.parse_request(sample.task, sample.fields)
        assert sample.before.is_file()


def test_the_truth_is_as_long_as_the_recording() -> None:
    for sample in sample_requests():
        truth = sample.truth()
        assert (truth is None) == (sample.task in ("tts", "cross_lingual_tts", "speech_editing"))
        assert truth is None or len(truth) == len(sample.sounds()["audio"])
        if sample.task == "speech_removal":
            assert truth is not None and 0.001 < np.abs(truth).mean() < 0.1, "rain, all along"


def test_one_page_with_everything_in_it(sx: SpeechX, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "demo"
    assert main(["demo", "-o", str(out)]) == 0
    page = (out / "index.html").read_text()
    assert [path.name for path in out.iterdir()] == ["index.html"]
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert not [s for s in sources if not s.startswith(("data:", "https://"))]
    assert not re.findall(r'(?:src|<link[^>]*href)="https?:', page), "nothing is loaded from elsewhere"
    players = re.findall(r'<audio[^>]* src="data:audio/mpeg;base64,', page)
    inputs = sum(len(sample.sounds()) for sample in sample_requests())
    assert len(players) == page.count("<svg") == inputs + 7 + 3, "inputs, results, truths"
    assert page.count(">s</text>") == page.count(">kHz</text>") == len(players)
    assert page.index("<h2>Speech editing") < page.index("<h2>Speed") < page.index("<h2>Credits")
    assert "<del>Monday afternoon</del> <ins>Thursday evening</ins>" in page
    assert page.count("none was chosen, by ear or by rule") == 7, "those of the test have learned nothing"
    assert "7/7" in capsys.readouterr().err
    assert main(["demo", "-o", str(out)]) == 0  # again, over the old one
    assert not list(out.glob("*.tmp"))


def test_seeds_follow_the_rule() -> None:
    seeds = json.loads(SEEDS.read_text("utf-8"))
    texts = {sample.title: sample.output_text for sample in sample_requests()}
    assert seeds["samples"].keys() <= texts.keys()
    for title, chosen in seeds["samples"].items():
        if texts[title] is None:
            assert chosen == {"seed": 0}
            continue
        errors = chosen["wer_of_all"]
        ranked = sorted(range(10), key=lambda seed: (errors[seed], seed))
        assert chosen["seed"] == ranked[4] and chosen["wer"] == errors[ranked[4]]
    said = choice({"seed": 3, "wer": 0.1, "wer_of_all": [0.0, 0.1, 0.5]}, True)
    assert said == "Seed 3, the median of ten by word errors: 10% (best 0%, worst 50%)."


def test_marked_edits() -> None:
    assert marked("I like tea.", "I like <coffee>.") == "I like <del>tea.</del> <ins>&lt;coffee&gt;.</ins>"
    assert marked("I do like tea", "I like tea") == "I <del>do</del> like tea"
    assert marked(None, "a & b") == "a &amp; b" and marked(None, None) is None

"""docs/tour.ipynb runs from its first cell to its last, beside the sample recordings; and how results look in a notebook."""

from __future__ import annotations

import json
import re
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from speechx.errors import InputError
from speechx.pipeline.result import Speech
from speechx.text.types import WordTime
from tests.conftest import voice
from tests.house.test_layout import ROOT

HAS_MATPLOTLIB = find_spec("matplotlib") is not None
SPEECH = Speech(voice(2.0), 16000, (WordTime("a<b", 0.1, 0.5), WordTime("there", 0.5, 1.0)), {"seed": 3})


@pytest.mark.skipif(not HAS_MATPLOTLIB, reason="needs matplotlib: the extra notebook")
def test_every_cell_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pipeline: Any) -> None:
    import matplotlib

    from speechx.api import SpeechX

    matplotlib.use("agg")
    shutil.copytree(ROOT / "speechx" / "assets" / "samples", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(SpeechX, "load", classmethod(lambda cls, *_, **__: cls(pipeline)))
    notebook = json.loads((ROOT / "docs" / "tour.ipynb").read_text("utf-8"))
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert len(cells) > 10 and not any(cell.get("outputs") for cell in notebook["cells"]), (
        "kept without outputs"
    )
    names: dict[str, Any] = {}
    for number, cell in enumerate(cells, 1):
        exec(compile(cell, f"cell {number}", "exec"), names)
    called = set(re.findall(r"sx\.(\w+)\(", "".join(cells)))
    assert called >= set(names["sx"].tasks), "it shows every task"
    matplotlib.pyplot.close("all")


def test_a_result_in_a_notebook() -> None:
    page = SPEECH._repr_html_()
    assert page.count("<audio controls") == 1 and page.count('<svg class="sound"') == 1
    assert '<span title="0.10 to 0.50 s">a&lt;b</span>' in page and "&lt;Speech 2.00 s" in page
    assert Speech(np.zeros(0, np.float32), 16000)._repr_html_(), "nothing is shown as nothing"


@pytest.mark.skipif(not HAS_MATPLOTLIB, reason="needs matplotlib: the extra notebook")
def test_plot() -> None:
    import matplotlib

    matplotlib.use("agg")
    wave, spectrum = SPEECH.plot()
    assert [text.get_text() for text in wave.texts] == ["a<b", "there"]
    assert spectrum.get_xlabel() == "s" and spectrum.get_ylabel() == "kHz" and spectrum.get_xlim() == (0, 2)
    assert [text.get_text() for text in spectrum.get_yticklabels()] == ["0.5", "1", "2", "4", "8"]
    assert Speech(voice(1.0, rate=8000), 8000).plot([wave, spectrum])[1] is spectrum
    matplotlib.pyplot.close("all")


@pytest.mark.skipif(HAS_MATPLOTLIB, reason="matplotlib is installed")
def test_plot_without_matplotlib() -> None:
    with pytest.raises(InputError, match="plot needs matplotlib"):
        SPEECH.plot()

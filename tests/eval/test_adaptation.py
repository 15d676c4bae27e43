"""Before and after an adaptation: the same held-out sentences from both models, in one report."""

from __future__ import annotations

import json
import shutil
import tomllib
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from speechx.errors import InputError
from speechx.eval import adaptation
from speechx.eval.adaptation import METRICS, compare_models, held_out_set, recognizer
from speechx.eval.judges import whisper
from speechx.eval.judges.base import JUDGES
from speechx.eval.judges.judges import Judges
from speechx.eval.report.write import load_report
from speechx.eval.sets.store import load_set
from speechx.models.lm.folder import LM_FOLDER, load_model
from tests.helpers.adapters import adapter_bytes
from tests.house.test_layout import ROOT


@pytest.fixture
def work(pack: Path, tmp_path: Path) -> Path:
    """The folder of an adaptation: a pack of which two recordings are held out."""
    shutil.copytree(pack, tmp_path / "work" / "pack")
    index = tmp_path / "work" / "pack" / "index.jsonl"
    rows = [json.loads(line) for line in index.read_text().splitlines()]
    for row in [row for row in rows if row.get("text") and row["language"] == "en"][:2]:
        row["split"] = "dev"
    index.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path / "work"


def test_held_out_sentences_are_said_with_a_voice_that_was_trained_on(work: Path, tmp_path: Path) -> None:
    held_out_set(work / "pack", "en", tmp_path / "set")
    found = load_set(tmp_path / "set")
    sentences = {item.text for item in found.items}
    assert len(found.items) == 24 == 3 * len(sentences), "few sentences are said with several seeds each"
    assert len({item.fields["seed"] for item in found.items}) == len(found.items)
    assert found.about["name"].startswith("held-out recordings of") and len(found.items) >= 2
    held = {
        row["id"] for row in map(json.loads, (work / "pack" / "index.jsonl").open()) if row["split"] == "dev"
    }
    assert {item.meta["id"] for item in found.items} <= held
    assert {item.fields["text"] for item in found.items} == {item.text for item in found.items}


def test_a_slow_machine_says_each_sentence_once(
    work: Path, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adaptation, "SPEAK_SECONDS", 0.0)
    sentences = held_out_set(work / "pack", "en", tmp_path / "set")
    count = adaptation._speak(tmp_path / "set", tiny_folder, tmp_path / "out", sentences, lambda line: None)
    assert count == sentences == len(list((tmp_path / "out").iterdir()))


def test_seeds_of_one_sentence_are_one_measurement() -> None:
    def row(system: str, sentence: str, wer: float) -> Any:
        return {"system": system, "scores": {"wer": [wer, 5]}, "meta": {"id": sentence}}

    before = [row("before", "a", 0.1), row("before", "a", 0.3), row("before", "b", 0.2)]
    after = [row("after", "a", 0.4), row("after", "a", 0.4), row("after", "b", 0.4)]
    systems: Any = {name: {"metrics": {"wer": {"mean": 0.2}}} for name in ("before", "after")}
    _, _, low, high = adaptation._change("wer", systems, [*before, *after])
    assert low == pytest.approx(0.2) and high == pytest.approx(0.2)


def test_a_report_of_both_models(
    work: Path, tiny_folder: Path, fakes: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("speechx.eval.judges.judges.Judges", partial(Judges, models=fakes))
    adapted = tmp_path / "anna"
    shutil.copytree(tiny_folder, adapted)
    (adapted / "lm" / "adapters").mkdir()
    data = adapter_bytes(load_model(tiny_folder / "lm"), LM_FOLDER.weights_hash(tiny_folder / "lm"))
    (adapted / "lm" / "adapters" / "anna.safetensors").write_bytes(data)
    said = list[str]()
    means = compare_models(work, tiny_folder, adapted, "en", adapted / "report", said.append)
    assert tuple(means) == METRICS and all(None not in values for values in means.values())
    assert all(low <= high for _, _, low, high in means.values())
    (section,) = load_report(adapted / "report")["abilities"].values()
    assert {"before", "after", "ground_truth"} == set(section["systems"]), "and nothing that takes more time"
    assert (adapted / "report" / "report.html").is_file() and any(
        "before: 24 of 24 outputs, 8 sentences" in line for line in said
    )
    spoken = [(adapted / "report/audio" / name / "tts-0000.wav").read_bytes() for name in ("before", "after")]
    assert spoken[0] != spoken[1], "by two models"
    kept = load_set(adapted / "report" / "set")
    assert kept.about["name"] == "held-out recordings of 3 speakers" and len(kept.items) == 24


def test_what_the_report_will_lack_is_said_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adaptation, "missing_package", lambda: None)
    monkeypatch.setattr(adaptation, "find_spec", lambda name: None if name == "xls_r_sqa" else name)
    lacking = adaptation.missing_judges()
    assert lacking is not None and lacking[0]
    assert lacking[1].startswith("the report will lack DistillMOS: pip install --no-deps ")
    monkeypatch.setattr(adaptation, "find_spec", lambda name: name)
    assert adaptation.missing_judges() is None
    monkeypatch.setattr(adaptation, "missing_package", lambda: "faster-whisper")
    can, line = adaptation.missing_judges() or (True, "")
    assert not can and "no report can be made: faster-whisper is not installed" in line


def test_the_judges_to_install_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert set(JUDGES) <= set(project["tool"]["speechx"]["no-deps"]["eval"])


def test_a_recognizer_that_is_not_installed_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(whisper, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r'whisper-base needs ctranslate2: pip install "speechx\[eval\]"'):
        recognizer("whisper-base")
    recognizer("whisper-base", needed=False)


def test_a_recognizer_that_nobody_knows_is_refused_even_where_all_recordings_have_texts() -> None:
    for needed in (True, False):
        with pytest.raises(
            InputError, match=r"^recognizer: 'wisper' is unknown; choose one of whisper-base"
        ) as found:
            recognizer("wisper", needed)
        assert found.value.field == "recognizer"


def test_a_recognizer_that_cannot_be_loaded_is_named() -> None:
    for needed in (True, False):
        with pytest.raises(
            InputError, match=r"^recognizer: whisper needs /nowhere/x, which does not exist$"
        ) as found:
            recognizer("whisper:/nowhere/x", needed)
        assert found.value.field == "recognizer"

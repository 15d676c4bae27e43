"""Runs: resumed where they stopped, failures counted, reports whole; comparison; the model card; the commands."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from speechx.cli.main import main
from speechx.errors import InputError
from speechx.eval.items import Item, Output, read_recording
from speechx.eval.judges.judges import Judges
from speechx.eval.metrics import bootstrap
from speechx.eval.metrics.signal import si_sdr
from speechx.eval.report.compare import compare_runs, comparison_markdown
from speechx.eval.report.markdown import BEGIN, END, report_markdown
from speechx.eval.report.write import load_report, machine, write_report
from speechx.eval.rows import Kind, read_rows
from speechx.eval.run.score import score_items
from speechx.eval.scores import MissingDependency
from speechx.eval.sets.store import TestSet
from speechx.eval.systems.baselines import deepfilternet, espeak, rnnoise
from speechx.eval.systems.systems import FolderSystem, ModelSystem, built_in, ground_truth
from speechx.pipeline.local_engine import LocalEngine
from tests.helpers.fake_engine import FakeEngine

HEADER: dict[str, Any] = {
    "set": {"name": "toy", "hash": "h", "seed": 1}, "model": "m", "measures": "x", "command": "speechx eval run", "seed": 1,
    "date": "2026-01-01", "machine": machine(),
}  # fmt: skip


class Moody:
    """The truth with some noise; fails on the items named."""

    kind: Kind = "model"
    name = "speechx"

    def __init__(self, noise: float = 0.0, fails: Iterable[str] = ()) -> None:
        self.noise, self.fails = noise, set(fails)
        self.asked: list[str] = []

    def outputs(self, items: Iterable[Item]) -> Iterator[tuple[Item, Output | Exception]]:
        rng = np.random.default_rng(0)
        for item in items:
            self.asked.append(item.id)
            if item.id in self.fails:
                yield item, RuntimeError("it does not want to")
                continue
            wav_T = ground_truth(item)
            yield (
                item,
                Output(
                    wav_T + self.noise * rng.standard_normal(len(wav_T)).astype(np.float32),
                    info={"rtf": 0.1, "seed": 1},
                ),
            )


@pytest.fixture
def go(test_set: TestSet, judges: Judges, monkeypatch: pytest.MonkeyPatch) -> Any:
    few = ("no_processing", "ground_truth", "codec_round_trip")
    monkeypatch.setattr("speechx.eval.noise_suppression.NoiseSuppressionEvaluator.references", few)

    def start(out: Path, system: Any, task: str = "noise_suppression", **header: Any) -> list[Item]:
        items = test_set.chosen([task])
        score_items(out, items, [system], lambda n: built_in(n, judges), judges, {**HEADER, **header})
        return items

    return start


def test_a_run_goes_on_where_it_stopped(go: Any, tmp_path: Path) -> None:
    go(tmp_path, Moody())
    whole = (tmp_path / "scores.jsonl").read_text()
    lines = whole.splitlines(keepends=True)
    (tmp_path / "scores.jsonl").write_text("".join(lines[1:-2]) + lines[-1][:30])
    again = Moody()
    go(tmp_path, again)
    assert again.asked == [json.loads(lines[0])["id"]]
    made = [line for line in (tmp_path / "scores.jsonl").read_text().splitlines() if '"again"' not in line]
    assert sorted(made) == sorted(line for line in whole.splitlines() if '"again"' not in line)
    with pytest.raises(InputError, match="holds scores with another model"):
        go(tmp_path, Moody(), model="other")


def test_failures_are_counted(go: Any, tmp_path: Path) -> None:
    go(tmp_path, Moody(fails=["noise_suppression-0002"]))
    report = write_report(tmp_path, {**HEADER, "measures": []})
    told = report["abilities"]["noise_suppression"]["systems"]["speechx"]
    assert told["failed"] == 1 and told["failures"] == {"it does not want to": 1}
    assert told["metrics"]["wer"]["n"] == 1 and told["metrics"]["wer"]["missing"] == 1
    text = report_markdown(report)
    assert "(1 of 2)" in text and "1 × no output: it does not want to" in text
    assert report["abilities"]["noise_suppression"]["worst"]["speechx"][0]["error"] == "it does not want to"


def test_what_failed_is_tried_again(go: Any, tmp_path: Path) -> None:
    go(tmp_path, Moody(fails=["noise_suppression-0002"]))
    again = Moody()
    go(tmp_path, again)
    assert again.asked == ["noise_suppression-0002"]
    report = write_report(tmp_path, {**HEADER, "measures": []})
    assert report["abilities"]["noise_suppression"]["systems"]["speechx"]["failed"] == 0


def test_bars_are_held_against_the_model(go: Any, tmp_path: Path) -> None:
    go(tmp_path, Moody(0.001))
    bars = write_report(tmp_path, {**HEADER, "measures": []})["abilities"]["noise_suppression"]["bars"][
        "speechx"
    ]
    wer = next(b for b in bars if b["metric"] == "wer" and b["versus"])
    assert wer["goal"] + 0.05 == pytest.approx(wer["first"]) and wer["first_met"] is True
    assert "not measured" in (tmp_path / "report.md").read_text(), "nobody told the time to the first sound"


def test_a_report_is_whole(go: Any, test_set: TestSet, judges: Judges, tmp_path: Path) -> None:
    items = go(tmp_path, Moody(0.01))
    write_report(tmp_path, {**HEADER, "measures": judges.describe()}, items)
    report = load_report(tmp_path)
    section = report["abilities"]["noise_suppression"]
    assert {"speechx", "no_processing", "ground_truth", "codec_round_trip"} <= set(section["systems"])
    si_sdr = section["systems"]["speechx"]["metrics"]["si_sdr"]
    assert si_sdr["low"] <= si_sdr["mean"] <= si_sdr["high"] and si_sdr["n"] == 2
    assert section["systems"]["speechx"]["metrics"]["rtf"]["mean"] == pytest.approx(0.1)
    assert {m["name"] for m in report["measures"]} >= {"parrot", "spectrum"}
    page = (tmp_path / "report.html").read_text()
    assert page.count("<audio") == 3 * len(section["worst"]["speechx"]) and "data:image/png" in page
    assert 'src="http' not in page and "<script" not in page and "<svg" in page
    assert "ground truth" in page and HEADER["command"] in page


def test_old_reports_are_refused(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text('{"schema_version": 0}')
    with pytest.raises(InputError, match="has schema 0; this version reads 1"):
        load_report(tmp_path)


def test_compare_is_paired(go: Any, tmp_path: Path) -> None:
    go(tmp_path / "a", Moody(0.1))
    go(tmp_path / "b", Moody(0.001, fails=["noise_suppression-0001"]))
    rows = compare_runs(read_rows(tmp_path / "a"), read_rows(tmp_path / "b"))
    told = {r["metric"]: r for r in rows}
    assert told["si_sdr"]["verdict"] == "better" and told["si_sdr"]["difference"]["mean"] > 20
    assert told["si_sdr"]["pairs"] == 1 and told["si_sdr"]["unpaired"] == 1
    assert "| si_sdr (dB) | +" in comparison_markdown(rows, ("a", "b"))
    assert {r["verdict"] for r in compare_runs(read_rows(tmp_path / "a"), read_rows(tmp_path / "a"))} <= {
        "same",
        "?",
    }


def test_outputs_of_a_folder(test_set: TestSet, tmp_path: Path) -> None:
    import soundfile

    first, second = test_set.chosen(["tts"])
    soundfile.write(tmp_path / f"{first.id}.wav", first.target_T, 16000)
    (tmp_path / "results.jsonl").write_text(json.dumps({"id": second.id, "error": "too long"}) + "\n")
    made = {i.id: o for i, o in FolderSystem("other", tmp_path).outputs([first, second])}
    assert isinstance(made[first.id], Output) and str(made[second.id]) == "too long"


def test_models_speak_through_an_engine(test_set: TestSet, pipeline: Any) -> None:
    items = test_set.chosen()
    fake = FakeEngine()
    assert len(list(ModelSystem(fake, slots=3).outputs(items))) == len(fake.jobs) == len(items)
    failing = ModelSystem(FakeEngine(error=RuntimeError("no")))
    assert all(str(o) == "no" for _, o in failing.outputs(items[:2]))
    with LocalEngine(pipeline) as engine:
        for item, output in ModelSystem(engine).outputs(test_set.chosen(["noise_suppression"])):
            assert isinstance(output, Output) and len(output.wav_T) == len(item.recording("audio"))
            assert output.info["rtf"] > 0


def test_measures_that_are_missing_are_named() -> None:
    judges = Judges(asr="whisper:/nowhere/at/all/x", codec=None)
    for _ in range(2):
        with pytest.raises(Exception, match=r"whisper|Whisper"):
            judges.transcribe(np.zeros(16000, np.float32), "en")
    assert judges.describe()[0]["missing"]
    with pytest.raises(InputError, match="asr: 'ears' is unknown"):
        Judges(asr="ears")


def test_bootstrap_intervals_hold_the_mean() -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for seed in range(100):
        found = bootstrap.mean(rng.normal(1.0, 1.0, 40).tolist(), seed=seed)
        assert found is not None
        inside += found.low <= 1.0 <= found.high
    assert 88 <= inside <= 100
    weighted = bootstrap.mean([0.0, 1.0], [9, 1])
    assert weighted is not None and weighted.mean == pytest.approx(0.1)
    assert bootstrap.mean([]) is None
    assert bootstrap.slices_of({"snr_db": 3.0, "text_given": True, "other": 1}) == {
        "snr_db": "0 to 5",
        "text_given": "True",
    }


@pytest.mark.parametrize("baseline", [rnnoise, deepfilternet])
def test_baselines_keep_the_time(baseline: Callable[[np.ndarray], np.ndarray]) -> None:
    wav_T = read_recording(Path(__file__).parents[2] / "speechx" / "assets" / "samples" / "noisy_clean.flac")
    try:
        out_T = baseline(wav_T)
    except MissingDependency as error:
        pytest.skip(str(error))
    assert len(out_T) == len(wav_T)
    assert si_sdr(out_T, wav_T) > 10, "its delay is taken out"


def test_espeak_says_the_text() -> None:
    try:
        short_T, long_T = espeak("Hello.", "en"), espeak("Hello, this is a longer sentence.", "en")
    except MissingDependency as error:
        pytest.skip(str(error))
    assert 0.2 < len(short_T) / 16000 < 1.5 < len(long_T) / 16000 < 4
    assert np.abs(short_T).max() > 0.05
    assert len(espeak("Buenos días.", "es")) and len(espeak("Bonjour.", "fr"))


def test_a_model_folder_is_measured(
    test_set: TestSet, tiny_folder: Path, fakes: Any, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.setattr("speechx.eval.judges.judges.Judges", partial(Judges, models=fakes))
    tasks = ["--task", "tts", "--task", "speech-editing"]
    wanted = [
        "--set",
        str(test_set.folder),
        *tasks,
        "--items",
        "1",
        "--workers",
        "1",  # the fakes are known to this process alone
        "--model",
        str(tiny_folder),
        "-o",
        str(tmp_path),
    ]
    assert main(["eval", "run", *wanted]) == 0, capsys.readouterr().err
    report = load_report(tmp_path)
    assert set(report["abilities"]) == {"tts", "speech_editing", "speech_editing_background"}
    assert len(report["model"]) == 16
    for section in report["abilities"].values():
        told = section["systems"]["speechx"]
        assert told["failed"] == 0, told["failures"]
        assert all(
            told["metrics"][m]["n"] == 1 for m in ("wer", "rtf", "first_audio", "truncated", "speaker")
        )
    assert report["abilities"]["speech_editing"]["systems"]["speechx"]["metrics"]["untouched"]["mean"] > 0.8


def test_commands(
    test_set: TestSet,
    pipeline: Any,
    judges: Judges,
    fakes: Any,
    tmp_path: Path,
    monkeypatch: Any,
    capsys: Any,
) -> None:
    frontend = pipeline.frontend

    def loaded(folder: Any, slots: int) -> Any:
        return (
            ModelSystem(LocalEngine(pipeline), slots=slots),
            lambda w: frontend.decode(frontend.encode(w))[: len(w)],
            "echo",
        )

    monkeypatch.setattr("speechx.eval.run.session.load_model", loaded)
    monkeypatch.setattr("speechx.eval.judges.judges.Judges", partial(Judges, models=fakes))
    out = tmp_path / "run"
    wanted = [
        "--set",
        str(test_set.folder),
        "--task",
        "speech-removal",
        "--items",
        "1",
        "-o",
        str(out),
        "--system",
        "silence",
    ]
    assert main(["eval", "run", *wanted]) == 0, capsys.readouterr().err
    report = load_report(out)
    assert report["model"] == "echo" and list(report["abilities"]) == ["speech_removal"]
    assert report["abilities"]["speech_removal"]["systems"]["silence"]["kind"] == "control"
    assert main(["eval", "run", *wanted]) == 0, "a finished run is told again"
    assert load_report(out)["measures"] == report["measures"]
    assert main(["eval", "report", str(out), "--set", str(test_set.folder)]) == 0
    assert main(["eval", "compare", str(out), str(out), "--systems", "silence", "speechx"]) == 0
    assert "| spectrum (dB) |" in capsys.readouterr().out

    card = tmp_path / "CARD.md"
    card.write_text(f"# Card\n\nbefore\n{BEGIN}\nold\n{END}\nafter\n")
    assert main(["eval", "card", str(out), "-o", str(card)]) == 0
    text = card.read_text()
    assert (
        "before" in text
        and "after" in text
        and "old" not in text
        and "**speechx**" in text
        and "silence" not in text
    )
    assert main(["eval", "card", str(out), "-o", str(card)]) == 0 and card.read_text() == text
    assert main(["eval", "run", *wanted, "--system", "nonsense"]) == 2
    assert "'nonsense' is unknown" in capsys.readouterr().err

"""A folder of outputs and a model as systems."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from speechx.eval.items import Output
from speechx.eval.sets.store import TestSet
from speechx.eval.systems.systems import FolderSystem, ModelSystem
from speechx.pipeline.local_engine import LocalEngine
from tests.helpers.fake_engine import FakeEngine


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

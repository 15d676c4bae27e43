"""README.md of a repository on the Hugging Face hub: front matter, how to load the model, its parts, its measurements."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import yaml

from speechx.eval.report.markdown import card_tables
from speechx.eval.report.write import load_report
from speechx.files import atomic_write
from speechx.task import registry
from speechx.text.languages import LANGUAGES

__all__ = ["write_hub_card"]


class Part(Protocol):
    """`speechx.pipeline.model_parts.PartFacts`."""

    name: str
    model_type: str
    parameters: int
    weights_hash: str


def write_hub_card(
    path: Path, repository: str, model: str, parts: Sequence[Part], report: Path | None
) -> None:
    """Writes the card. model: hash of the weights. report: report.json or its folder, whose tables are taken."""
    front = {
        "library_name": "speechx", "license": "apache-2.0", "pipeline_tag": "text-to-speech", "language": list(LANGUAGES),
        "tags": ["speech", "voice-cloning", "speech-enhancement", "codec-language-model", *registry.task_names()],
    }  # fmt: skip
    lines = [
        "---", yaml.safe_dump(front, sort_keys=False).strip(), "---", f"# {repository}", "",
        f"A SpeechX model, weights {model}. One task-prompted codec language model for speech.", "",
        "```python", "from speechx import SpeechX", "", f'sx = SpeechX.load("{repository}")',
        'sx.tts("Hello there.", voice="me.wav").save("hello.wav")', "```", "",
        "| part | type | parameters | hash |", "|---|---|---|---|",
        *(f"| {p.name} | {p.model_type} | {p.parameters / 1e6:.1f} M | {p.weights_hash or '-'} |" for p in parts),
        "", "## Measured", "",
    ]  # fmt: skip
    lines.append("No report was given." if report is None else _tables(report, model))
    atomic_write(path, ("\n".join(lines).rstrip() + "\n").encode())


def _tables(source: Path, model: str) -> str:
    """The tables of a report, with a warning where it is of other weights."""
    report = load_report(source)
    other = "" if report["model"] == model else f"These figures are of other weights: {report['model']}.\n\n"
    return other + card_tables(report)

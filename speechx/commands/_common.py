"""What commands share: the model option, loading with a word about it, output, and how errors end the process."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from speechx.sdk import SpeechX

ModelOption = Annotated[
    Path | None,
    typer.Option("--model", help="model folder (default: $SPEECHX_MODEL, else the one in the package)"),
]
JsonOption = Annotated[bool, typer.Option("--json", help="tell the result as JSON on standard output")]


def say(text: str) -> None:
    """A line for people, on standard error."""
    print(text, file=sys.stderr, flush=True)


def load(model: Path | None, slots: int = 8) -> SpeechX:
    """The model, with a word on how long it took where that is noticeable."""
    from speechx.sdk import SpeechX

    started = time.monotonic()
    sx = SpeechX.load(model, slots=slots)
    if (seconds := time.monotonic() - started) > 3:
        say(f"model loaded in {seconds:.1f} s")
    return sx


def put_json(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, ensure_ascii=False))


class Ticker:
    """A line on standard error every few seconds, so that nothing is silent for long."""

    def __init__(self, every: float = 5.0) -> None:
        self.every, self.last = every, time.monotonic()

    def __call__(self, text: str) -> None:
        if time.monotonic() - self.last >= self.every:
            self.last = time.monotonic()
            say(text)

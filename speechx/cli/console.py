"""What commands share: the model option, loading with a word about it, output, and how errors end the process."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from speechx.api import SpeechX

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
    from speechx.api import SpeechX

    started = time.monotonic()
    sx = SpeechX.load(model, slots=slots)
    if (seconds := time.monotonic() - started) > 3:
        say(f"model loaded in {seconds:.1f} s")
    return sx


def put_json(value: Any) -> None:
    """One JSON document on standard output."""
    print(json.dumps(value, ensure_ascii=False))


class Heartbeat:
    """Says every few seconds what is going on, so that nothing is silent for long: `with Heartbeat("tts") as beat`.

    Set `status` as the work goes on; quick work says nothing.
    """

    def __init__(self, name: str, every: float = 5.0) -> None:
        self.name, self.every, self.status = name, every, ""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def _beat(self) -> None:
        started = time.monotonic()
        while not self._over.wait(self.every):
            say(f"{self.name}: {self.status or 'working'} ({time.monotonic() - started:.0f} s)")

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

"""Shared by all commands: options, loading the model, output and progress."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from speechx.errors import InputError
from speechx.text.languages import LANGUAGES, language_code

if TYPE_CHECKING:
    from speechx.api import SpeechX

ModelOption = Annotated[
    Path | None,
    typer.Option("--model", help="model folder (default: $SPEECHX_MODEL, else the one in the package)"),
]
CODEC_HELP = (
    "codec: a folder, org/name of the Hugging Face hub, or encodec-24khz, mimi, dac-16khz, dac-24khz, dac-44khz; "
    ":K uses K codebooks, @REVISION pins one"
)
CodecOption = Annotated[str | None, typer.Option("--codec", help=f"{CODEC_HELP} (default: the model's)")]


def plain_language(given: str | None) -> str | None:
    """Callback of an option: FR and fr-FR are fr, as in requests."""
    return language_code(given) if given else given


LanguageOption = Annotated[
    str,
    typer.Option(
        "--language",
        metavar="CODE",
        callback=plain_language,
        help=f"language of the text: {', '.join(LANGUAGES)}, or one that was added",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="print the result as JSON")]


def output_option(help: str) -> Any:
    """-o and --output of a file or folder. --out is its name in the first release."""
    return typer.Option("--output", "-o", "--out", help=help)


def part_folder(path: Path | None, part: str, field: str) -> Path | None:
    """The folder of a part of a model, also of a whole model's; `box` is that of the model in the package.

    Raises InputError where it holds none.
    """
    if path is None:
        return None
    from speechx.pipeline.loading import packaged_model

    folder = packaged_model() / part if path == Path("box") else path
    if (folder / part / "config.json").is_file():
        folder = folder / part
    if not (folder / "config.json").is_file():
        raise InputError(f"{field}: {folder} holds no model: config.json is missing", field=field)
    return folder


def say(text: str) -> None:
    """A line for people, on standard error."""
    print(text, file=sys.stderr, flush=True)


def warn(warning: str | None) -> None:
    """A warning, if there is one."""
    if warning:
        say(f"speechx: warning: {warning}")


def load(model: str | Path | None, slots: int = 8, device: str = "cpu", codec: str | None = None) -> SpeechX:
    """Loads the model; prints the time where it took longer than 3 s."""
    from speechx.api import SpeechX

    started = time.monotonic()
    sx = SpeechX.load(model, codec=codec, device=device, slots=slots)
    if (seconds := time.monotonic() - started) > 3:
        say(f"model loaded in {seconds:.1f} s")
    return sx


def put_json(value: object, file: TextIO | None = None) -> None:
    """One JSON document on standard output, or in `file`."""
    print(json.dumps(value, ensure_ascii=False), file=file, flush=True)


class Heartbeat:
    """Prints a status line every few seconds of long work: `with Heartbeat("tts") as beat`. Set `status` meanwhile."""

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

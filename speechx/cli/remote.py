"""The option of commands whose speech may come from another server, and the engine behind it. Nothing here knows HTTP.

speechx serve --remote-tts http://gpu:8880/v1#kokoro
speechx serve --remote-tts voice.yaml

The file has url, and may have model, voices (id here: name there), reference (a field, such as ref_audio) and seconds.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
import yaml

from speechx.cli.cluster import launcher
from speechx.errors import InputError
from speechx.files import read_text
from speechx.models.config import JSONObject

if TYPE_CHECKING:
    from speechx.pipeline.local_engine import LocalEngine
    from speechx.pipeline.pipeline import Pipeline

__all__ = ["RemoteOption", "model_name", "remote_engine", "remote_facts"]

RemoteOption = Annotated[
    str | None,
    typer.Option(
        help="OpenAI-compatible server that makes the speech of tts: URL#MODEL, such as http://host:8880/v1#kokoro, or a "
        "YAML file"
    ),
]
FIELDS = ("url", "model", "voices", "reference", "seconds")


def remote_facts(given: str | None) -> JSONObject | None:
    """The fields of `speechx.serving.remote.RemoteOptions`; None where nothing is given. Raises InputError."""
    if given is None:
        return None
    if not given.startswith(("http://", "https://")):
        return _from_file(Path(given))
    url, _, model = given.partition("#")
    return {"url": url, "model": model} if model else {"url": url}


def _from_file(path: Path) -> JSONObject:
    neither = InputError(
        f"remote_tts: {path} is neither an address of http or https nor a YAML file that can be read",
        field="remote_tts",
    )
    if not path.is_file():
        raise neither
    try:
        values = yaml.safe_load(read_text(path, "remote_tts"))
    except yaml.YAMLError as error:
        raise neither from error
    if not isinstance(values, dict) or "url" not in values or set(values) - set(FIELDS):
        raise InputError(
            f"remote_tts: {path} must have url, and may have {', '.join(FIELDS[1:])}", field="remote_tts"
        )
    return values


def model_name(weights: str, facts: JSONObject | None) -> str:
    """What results and reports name as their model: the hash of the weights, and the remote voice if there is one."""
    return weights if facts is None else f"{weights}, tts by {facts.get('model', 'tts-1')} at {facts['url']}"


def remote_engine(pipeline: Pipeline, facts: JSONObject) -> LocalEngine:
    """The pipeline, and the remote voice for tts."""
    return cast("LocalEngine", launcher("remote")(pipeline, facts))

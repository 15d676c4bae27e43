"""`speechx codec encode|decode|roundtrip`: sound to codes and back.

A file of codes is an .npz: codes_KF int16, codec (its hash), samples.
"""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from speechx.cli.console import ModelOption, say
from speechx.errors import InputError

if TYPE_CHECKING:
    from speechx.task.frontend import Frontend

app = typer.Typer(help="Turn sound into codes and back.", no_args_is_help=True)

Output = Annotated[Path, typer.Option("--output", "-o", help="file to write")]


@app.command()
def encode(
    audio: Annotated[str, typer.Argument(help="a sound file")], output: Output, model: ModelOption = None
) -> None:
    """Sound to a file of codes."""
    from speechx.files import atomic_write
    from speechx.pipeline.loading import load_front

    frontend = load_front(model)
    wav_T = frontend.load_audio(audio)
    codes_FK = frontend.encode(wav_T)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, codes_KF=codes_FK.T, codec=np.array(frontend.codec.hash), samples=np.array(len(wav_T))
    )
    atomic_write(output, buffer.getvalue())
    say(f"{output}: {codes_FK.shape[0]} frames of {codes_FK.shape[1]} codes")


@app.command()
def decode(
    codes: Annotated[Path, typer.Argument(help="a file of codes")], output: Output, model: ModelOption = None
) -> None:
    """A file of codes to sound."""
    from speechx.pipeline.loading import load_front
    from speechx.pipeline.result import Speech

    frontend = load_front(model)
    codes_KF, samples = _read_codes(codes, frontend)
    Speech(frontend.decode(codes_KF.T)[:samples], frontend.sample_rate).save(output)


@app.command()
def roundtrip(
    audio: Annotated[str, typer.Argument(help="a sound file")], output: Output, model: ModelOption = None
) -> None:
    """Sound to codes and back: what the codec alone does to it."""
    from speechx.pipeline.loading import load_front
    from speechx.pipeline.result import Speech

    frontend = load_front(model)
    wav_T = frontend.load_audio(audio)
    started = time.monotonic()
    codes_FK, gain = frontend.encode_recording(wav_T)
    made_T = frontend.decode(codes_FK)[: len(wav_T)] / gain
    seconds = time.monotonic() - started
    Speech(made_T, frontend.sample_rate).save(output)
    say(
        f"{output}: {len(wav_T) / 16000:.2f} s in {seconds:.2f} s, {len(wav_T) / 16000 / seconds:.0f} times real time"
    )


def _read_codes(path: Path, frontend: Frontend) -> tuple[np.ndarray, int]:
    try:
        with np.load(path, allow_pickle=False) as file:
            codes_KF, made_by, samples = file["codes_KF"], str(file["codec"]), int(file["samples"])
    except FileNotFoundError:
        raise InputError(f"codes: the file {path} does not exist", field="codes") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        raise InputError(
            f"codes: {path} is no file of codes made by `speechx codec encode`", field="codes"
        ) from None
    if made_by != frontend.codec.hash:
        raise InputError(
            f"codes: {path} was made by codec {made_by}, this model has {frontend.codec.hash}", field="codes"
        )
    return codes_KF, samples

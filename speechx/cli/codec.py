"""`speechx codec encode|decode|roundtrip`: sound to codes and back.

A file of codes is an .npz: codes_KF int16, codec (its hash), samples.
"""

from __future__ import annotations

import io
import time
import zipfile
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from speechx.audio import writing
from speechx.cli.console import CodecOption, ModelOption, say
from speechx.cli.inputs import check_output, given_audio
from speechx.errors import InputError

app = typer.Typer(
    help="Turn a recording into the codes that the model works on, and back.", no_args_is_help=True
)

Output = Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="file to write")]
Recording = Annotated[str, typer.Argument(metavar="FILE", help="a recording")]


@app.command()
def encode(audio: Recording, output: Output, model: ModelOption = None, codec: CodecOption = None) -> None:
    """Write the codes of a recording."""
    from speechx.files import atomic_write
    from speechx.pipeline.loading import load_front

    check_output(output)
    given = given_audio(audio)
    frontend = load_front(model, codec=codec)
    wav_T = frontend.load_audio(given)
    codes_FK = frontend.encode(wav_T)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer, codes_KF=codes_FK.T, codec=np.array(frontend.codec.hash), samples=np.array(len(wav_T))
    )
    atomic_write(output, buffer.getvalue())
    say(f"{output}: {codes_FK.shape[0]} frames of {codes_FK.shape[1]} codes")


@app.command()
def decode(
    codes: Annotated[Path, typer.Argument(help="a file of codes")],
    output: Output,
    model: ModelOption = None,
    codec: CodecOption = None,
) -> None:
    """Write the sound of a file of codes."""
    from speechx.pipeline.loading import load_front
    from speechx.pipeline.result import Speech

    writing.format_of(check_output(output))
    codes_KF, made_by, samples = _read_codes(codes)
    frontend = load_front(model, codec=codec)
    if made_by != frontend.codec.hash:
        raise InputError(
            f"codes: {codes} was made by codec {made_by}, this model has {frontend.codec.hash}", field="codes"
        )
    Speech(frontend.decode(codes_KF.T)[:samples], frontend.sample_rate).save(output)


@app.command()
def roundtrip(audio: Recording, output: Output, model: ModelOption = None, codec: CodecOption = None) -> None:
    """Turn a recording into codes and back: what the codec alone does to it."""
    from speechx.pipeline.loading import load_front
    from speechx.pipeline.result import Speech

    writing.format_of(check_output(output))
    given = given_audio(audio)
    frontend = load_front(model, codec=codec)
    wav_T = frontend.load_audio(given)
    started = time.monotonic()
    codes_FK, gain = frontend.encode_recording(wav_T)
    made_T = frontend.decode(codes_FK)[: len(wav_T)] / gain
    seconds = time.monotonic() - started
    Speech(made_T, frontend.sample_rate).save(output)
    length = len(wav_T) / frontend.sample_rate
    say(f"{output}: {length:.2f} s in {seconds:.2f} s, {length / seconds:.0f} times real time")


def _read_codes(path: Path) -> tuple[np.ndarray, str, int]:
    """(codes (K, F), hash of the codec that made them, samples of the recording)."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return file["codes_KF"], str(file["codec"]), int(file["samples"])
    except FileNotFoundError:
        raise InputError(f"codes: the file {path} does not exist", field="codes") from None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        raise InputError(
            f"codes: {path} is no file of codes made by `speechx codec encode`", field="codes"
        ) from None

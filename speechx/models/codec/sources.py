"""Every codec by its name or folder: `open_codec("mimi")`, `open_codec("encodec-24khz:4")`, `open_codec("codec/model")`.

A folder is SpeechX's own (speechx.models.codec.folder) or one of transformers with an EnCodec, DAC or Mimi model. A name, or
`org/name`, is fetched from the Hugging Face hub; `:K` uses so many codebooks, `@REVISION` pins a revision. "box" is the
codec of the model that comes with the package.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import TypeAlias

from speechx.models.codec.base import Codec
from speechx.models.codec.dac import DacCodec
from speechx.models.codec.encodec import EncodecCodec
from speechx.models.codec.folder import CODEC_FOLDER, load_codec, save_codec
from speechx.models.codec.mimi import MimiCodec
from speechx.models.codec.pretrained import PretrainedCodec, codec_error, pickle_error, pickled_tensors
from speechx.models.codec.spectral import SpectralCodec
from speechx.models.folder import PICKLES
from speechx.models.hub import fetch_folder, is_hub_name

__all__ = ["CODECS", "CodecSource", "absolute_source", "open_codec", "unpickled", "write_codec"]

CodecSource: TypeAlias = str | Path
"""A name of `CODECS`, `org/name` of the hub, or a folder."""

CODECS = {
    "encodec-24khz": "facebook/encodec_24khz",
    "mimi": "kyutai/mimi",
    "dac-16khz": "descript/dac_16khz",
    "dac-24khz": "descript/dac_24khz",
    "dac-44khz": "descript/dac_44khz",
}
"""Name to repository of the hub."""

BOX = "box"
"""The codec in the package."""

CLASSES: dict[str, type[PretrainedCodec]] = {c.model_type: c for c in (EncodecCodec, DacCodec, MimiCodec)}


def open_codec(source: CodecSource) -> Codec:
    """The codec. Raises InputError (field `codec`) that says in a sentence why it cannot be used."""
    path = Path(source)
    if path.is_dir():
        return _from_folder(path)
    if str(source) == BOX:
        return _from_folder(Path(str(files("speechx") / "assets" / "model" / "codec")))
    if path.is_file():
        raise pickle_error(path) if path.suffix in PICKLES else codec_error(f"{path} is a file, not a folder")
    text, codebooks = _codebooks(str(source))
    if Path(text).is_dir():
        return _from_folder(Path(text), codebooks)
    name, at, revision = text.partition("@")
    repo = CODECS.get(name, name) + at + revision
    if not is_hub_name(repo):
        known = ", ".join((BOX, *CODECS))
        raise codec_error(f"{source} is neither a folder nor one of {known}, nor org/name of the hub")
    return _from_folder(fetch_folder(repo, "codec"), codebooks)


def unpickled(path: Path) -> Codec:
    """A codec out of pickled tensors: the file of the package `encodec`, or one beside a config.json of transformers."""
    if (path.parent / "config.json").is_file():
        kind = json.loads((path.parent / "config.json").read_text()).get("model_type")
        if kind not in CLASSES:
            raise codec_error(
                f"{path.parent} holds a model of type {kind}; a codec is of type {', '.join(CLASSES)}"
            )
        return CLASSES[kind].from_state(path.parent, pickled_tensors(path))
    return EncodecCodec.from_package_state(pickled_tensors(path))


def write_codec(codec: Codec, folder: str | Path) -> None:
    """Writes a folder that `open_codec` reads."""
    if isinstance(codec, SpectralCodec):
        save_codec(codec, folder)
    else:
        assert isinstance(codec, PretrainedCodec)
        codec.save(folder)


def absolute_source(source: CodecSource) -> str:
    """The same for another process: a folder by its absolute path, a name as it is."""
    path = Path(source)
    return str(path.absolute()) if path.exists() else str(source)


def _codebooks(text: str) -> tuple[str, int | None]:
    """`name:K` in its two parts. Raises InputError where K is no number."""
    name, colon, count = text.rpartition(":")
    if not colon:
        return text, None
    if not count.isdigit():
        raise codec_error(f"{count!r} in {text!r} must be a number of codebooks")
    return name, int(count)


def _from_folder(folder: Path, codebooks: int | None = None) -> Codec:
    path = folder / "config.json"
    try:
        values = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise codec_error(f"{path} is missing") from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise codec_error(f"{path} is not valid JSON: {error}") from error
    kind = values.get("model_type") if isinstance(values, dict) else None
    if kind in CLASSES:
        return CLASSES[kind].load(folder, codebooks)
    if kind is not None and not str(kind).startswith("speechx-"):
        known = ", ".join((CODEC_FOLDER.model_type, *CLASSES))
        raise codec_error(f"{folder} holds a model of type {kind}; a codec is of type {known}")
    if codebooks is not None:
        raise codec_error(f"{folder} is SpeechX's own codec, whose number of codebooks is fixed")
    return load_codec(folder)

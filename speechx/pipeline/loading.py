"""From a model folder to a pipeline. A model folder has codec/ and lm/, and may have aligner/ and mask/, each a config.json
and weights. Its codec may be one by others (speechx.models.codec.sources), and lie elsewhere.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from speechx.errors import InputError
from speechx.models.devices import check_device
from speechx.models.hub import fetch_folder, is_hub_name

if TYPE_CHECKING:
    from speechx.models.aligner import Aligner
    from speechx.models.codec.base import Codec
    from speechx.models.codec.sources import CodecSource
    from speechx.models.refiner import Refiner
    from speechx.models.speaker import VoiceEncoder
    from speechx.pipeline.pipeline import Pipeline
    from speechx.task.frontend import Frontend, VoiceBook

T = TypeVar("T")
Network = TypeVar("Network", "Aligner", "Refiner")

__all__ = ["learn_languages", "load_front", "load_pipeline", "model_folder", "packaged_model", "parts_of"]


def parts_of(codec: CodecSource | None) -> tuple[str, ...]:
    """What a model folder must have to speak, where its codec is another one."""
    return ("codec", "lm") if codec is None else ("lm",)


def model_folder(path: str | Path | None = None, parts: tuple[str, ...] = ("codec", "lm")) -> Path:
    """`path`, else $SPEECHX_MODEL, else the folder in the package. Raises InputError where there is none.

    A path `org/name[@revision]` that is no folder here is one of the Hugging Face hub, and is fetched.
    """
    given = path or os.environ.get("SPEECHX_MODEL")
    if given and is_hub_name(given):
        folder = fetch_folder(str(given))
    else:
        folder = Path(given) if given else packaged_model()
    if given and not folder.is_dir():
        raise InputError(f"model: {folder} is no model folder: it does not exist", field="model")
    for part in parts:
        if not (folder / part / "config.json").is_file():
            hint = "" if given else "; name one with --model or $SPEECHX_MODEL"
            raise InputError(
                f"model: {folder} is no model folder: {part}/config.json is missing{hint}", field="model"
            )
    return folder


def packaged_model() -> Path:
    """The folder of the model in the package."""
    return Path(str(files("speechx") / "assets" / "model"))


def learn_languages(path: str | Path | None = None) -> tuple[str, ...]:
    """The languages that the adapters of a model folder add: they are known from then on. Loads no weights.

    Raises InputError as `model_folder` does, and for adapters that cannot be read.
    """
    from speechx.models.lm.folder import added_languages

    return _checked("lm", model_folder(path, parts=()) / "lm", added_languages)


def load_front(
    path: str | Path | None = None,
    *,
    codec: CodecSource | None = None,
    voices: VoiceBook | None = None,
    paths: bool = True,
    voice_check: str | None = None,
) -> Frontend:
    """What needs no language model: codec, aligner, text, voices. Raises InputError as `load_pipeline` does."""
    from speechx.models.aligner import Aligner
    from speechx.models.codec.sources import open_codec
    from speechx.models.lm.folder import LM_FOLDER, added_languages
    from speechx.models.refiner import load_refiner
    from speechx.task.frontend import Frontend
    from speechx.task.voices import VoiceStore

    folder = model_folder(path, parts=("codec",) if codec is None else ())
    used = _checked("codec", folder / "codec", open_codec) if codec is None else open_codec(codec)
    has_lm = (folder / "lm" / "config.json").is_file()
    return Frontend(
        used, aligner=_optional("aligner", folder / "aligner", Aligner.load, used), voices=voices or VoiceStore(),
        refiner=_optional("mask", folder / "mask", load_refiner, used), paths=paths,
        speaker=_voice_encoder(voice_check),
        language_model=_checked("lm", folder / "lm", LM_FOLDER.weights_hash) if has_lm else "",
        languages=_checked("lm", folder / "lm", added_languages) if has_lm else (),
    )  # fmt: skip


def load_pipeline(
    path: str | Path | None = None,
    *,
    codec: CodecSource | None = None,
    device: str = "cpu",
    slots: int = 8,
    voices: VoiceBook | None = None,
    paths: bool = True,
    voice_check: str | None = None,
) -> Pipeline:
    """A pipeline over the weights of a folder. Raises InputError where weights are missing or do not belong together.

    slots: candidates in the engine's batch at once, at least as many as a part gets by default.
    codec: another place of the codec than the folder. voices: known voices (default: VoiceStore()). paths: see `Frontend`.
    voice_check: see speechx.models.speaker; default: $SPEECHX_VOICE_CHECK, else none.
    """
    import torch

    from speechx.engine.engine import Engine
    from speechx.engine.processors import Processors
    from speechx.engine.threads import cpu_threads
    from speechx.models.lm.folder import load_model
    from speechx.models.lm.prompt import pack
    from speechx.pipeline.job_runner import JobRunner
    from speechx.pipeline.pipeline import Pipeline
    from speechx.task import registry
    from speechx.text import PHONE_TABLE_VERSION

    folder = model_folder(path, parts_of(codec))
    check_device(device)
    processors = Processors(torch.get_num_threads())  # now, so that it knows them when the weights are there
    with cpu_threads(1):  # see `Engine.warm_up`
        frontend = load_front(path, codec=codec, voices=voices, paths=paths, voice_check=voice_check)
        used = frontend.codec
        use = partial(
            load_model, codec_name=used.name, codec_hash=used.hash, phone_table_version=PHONE_TABLE_VERSION
        )
        core = _checked("lm", folder / "lm", use)
    config = core.shape
    packer = partial(pack, num_codebooks=config.num_codebooks)
    slots = max(slots, *(task.best_of for task in registry.tasks().values()))
    runner = JobRunner(Engine(core.to(device), slots=slots), packer, slots, processors)
    return Pipeline(frontend, runner, model=weights_hash(folder))


def _voice_encoder(name: str | None) -> VoiceEncoder | None:
    from speechx.models.speaker import open_voice_encoder

    chosen = name or os.environ.get("SPEECHX_VOICE_CHECK")
    return open_voice_encoder(chosen) if chosen else None


def _optional(name: str, folder: Path, load: Callable[[Path], Network], codec: Codec) -> Network | None:
    """A network that a model may come without. Raises InputError for one that was trained on another codec."""
    if not folder.exists():
        return None
    network = _checked(name, folder, load)
    trained = network.config.codec_hash
    if trained and trained != codec.hash:
        raise InputError(
            f"model: the {name} in {folder} was trained on codec {trained}, not on {codec.hash}",
            field="model",
        )
    return network


def _checked(name: str, folder: Path, load: Callable[[Path], T]) -> T:
    """The result of `load`; its errors name the files."""
    from safetensors import SafetensorError

    try:
        return load(folder)
    except InputError as error:
        raise InputError(
            f"model: {error}" if error.field != "model" else str(error), field="model"
        ) from error
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise InputError(f"model: {name} in {folder} cannot be read: {error}", field="model") from error


def weights_hash(folder: Path) -> str:
    """16 hex digits over all weight files of a model folder: part of every result, so that it can be traced."""
    digest = hashlib.sha256()
    for part in ("codec", "lm", "aligner", "mask"):
        for file in sorted((folder / part).rglob("*.safetensors")):
            digest.update(f"{part}/{file.name}".encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]

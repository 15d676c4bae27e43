"""Codecs by others behind the codec protocol, as transformers has them: the base class of EnCodec, DAC and Mimi.

Shapes: B batch, T samples, K codebooks, V entries, F codec frames, D axes of the latent.
"""

from __future__ import annotations

import hashlib
import json
import pickle
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
import torch.nn.functional as F
from safetensors import SafetensorError

from speechx.errors import InputError
from speechx.models.codec.base import StreamDecoder, check_codes, check_wav
from speechx.models.folder import PICKLES

__all__ = ["PretrainedCodec"]

DEFAULT_CODEBOOKS = 8
"""EnCodec at 6 kbit/s, what VALL-E uses."""

CODEBOOKS_KEY = "speechx_codebooks"
"""Entry of config.json: how many codebooks are used."""


class PretrainedCodec(ABC):
    """A `speechx.models.codec.base.Codec` over a model of transformers.

    num_codebooks: of those that the model has, so many are used; None: those that its config names, else eight.
    """

    model_type: ClassVar[str]
    license: ClassVar[str]

    def __init__(self, model: Any, num_codebooks: int | None = None) -> None:
        config = model.config
        self._check(config)
        most = self._most_codebooks(config)
        chosen = num_codebooks or getattr(config, CODEBOOKS_KEY, None) or min(DEFAULT_CODEBOOKS, most)
        if not 1 <= chosen <= most:
            raise ValueError(f"num_codebooks is {chosen}, this {self.model_type} model has 1..{most}")
        self.model: Any = model.eval().requires_grad_(False)
        self.sample_rate = int(config.sampling_rate)
        self.hop = self._hop(config)
        self.frame_rate = self.sample_rate / self.hop
        self.num_codebooks = chosen
        self.codebook_size = int(config.codebook_size)
        self.name = f"{self.model_type}-{self.sample_rate // 1000}khz"
        self._hash: str | None = None

    # What a codec's class says of its model

    @staticmethod
    @abstractmethod
    def _model_class() -> Any:
        """The class of transformers."""

    @staticmethod
    @abstractmethod
    def _most_codebooks(config: Any) -> int: ...

    @staticmethod
    @abstractmethod
    def _hop(config: Any) -> int: ...

    def _check(self, config: Any) -> None:  # noqa: B027 (most need none)
        """Raises ValueError for a variant that this class cannot use."""

    @abstractmethod
    def _encode(self, wav_BT: torch.Tensor) -> torch.Tensor:
        """Whole frames of sound -> codes (B, K, F)."""

    @abstractmethod
    def _latent(self, codes_BKF: torch.Tensor) -> torch.Tensor:
        """Codes -> what the decoder reads, (B, D, F)."""

    @abstractmethod
    def _decode(self, codes_BKF: torch.Tensor) -> torch.Tensor:
        """Codes -> sound (B, T), T about F * hop."""

    @abstractmethod
    def stream(self, batch: int = 1) -> StreamDecoder: ...

    @abstractmethod
    def code_vectors(self) -> torch.Tensor: ...

    # Files

    @classmethod
    def load(cls, folder: str | Path, num_codebooks: int | None = None) -> Self:
        """From a folder of transformers. Raises InputError for one that cannot be used; never downloads.

        Weights must be safetensors, and all of them must be there.
        """
        folder = Path(folder)
        if not (folder / "config.json").is_file():
            raise codec_error(f"{folder} has no config.json: it is no folder of a codec")
        if not any(folder.glob("*.safetensors")):
            pickled = [file.name for file in folder.iterdir() if file.suffix in PICKLES]
            raise (
                pickle_error(folder / pickled[0])
                if pickled
                else codec_error(f"{folder / 'model.safetensors'} is missing")
            )
        try:
            with no_progress_bars():
                model, report = cls._model_class().from_pretrained(
                    folder, local_files_only=True, use_safetensors=True, output_loading_info=True
                )
            absent = [*report["missing_keys"], *report["mismatched_keys"]]
            if absent:
                raise codec_error(
                    f"{folder} does not hold a whole {cls.model_type} model: {len(absent)} tensors are missing"
                )
            return cls(model, num_codebooks)
        except InputError:
            raise
        except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise codec_error(f"{folder} cannot be read as a {cls.model_type} model: {reason}") from error

    @classmethod
    def from_state(cls, folder: str | Path, tensors: Mapping[str, torch.Tensor]) -> Self:
        """From tensors, and the config.json of a folder. Raises InputError where they do not fit it."""
        kind = cls._model_class()
        try:
            model = kind(kind.config_class.from_pretrained(folder))
            model.load_state_dict(tensors)
        except (OSError, ValueError, RuntimeError) as error:
            raise codec_error(f"the weights in {folder} do not fit its config.json") from error
        return cls(model)

    def save(self, folder: str | Path) -> None:
        """Writes a folder that `load` and transformers read: config.json and model.safetensors."""
        setattr(self.model.config, CODEBOOKS_KEY, self.num_codebooks)
        with no_progress_bars():
            self.model.save_pretrained(folder)

    # The protocol

    @property
    def latent_dim(self) -> int:
        return int(self.code_vectors().shape[-1])

    @property
    def feature_dim(self) -> int:
        return self.latent_dim

    @property
    def hash(self) -> str:
        """First 16 hex digits of SHA-256 over shape and weights (float32), and how many codebooks are used."""
        if self._hash is None:
            facts = [self.num_codebooks, self.sample_rate, self.hop, self.codebook_size]
            digest = hashlib.sha256(json.dumps([self.name, *facts]).encode())
            for name, value in sorted(self.model.state_dict().items()):
                digest.update(name.encode() + value.detach().cpu().float().numpy().tobytes())
            self._hash = digest.hexdigest()[:16]
        return self._hash

    @torch.inference_mode()
    def encode(self, wav_BT: torch.Tensor) -> torch.Tensor:
        check_wav(wav_BT)
        # Whole frames: so F = ceil(T / hop) without the model's own padding, which may mirror the end.
        return self._encode(F.pad(wav_BT, (0, -wav_BT.shape[1] % self.hop)))

    @torch.inference_mode()
    def decode(self, codes_BKF: torch.Tensor) -> torch.Tensor:
        check_codes(codes_BKF, self.num_codebooks, self.codebook_size)
        samples = codes_BKF.shape[-1] * self.hop
        if not samples:
            return torch.zeros(codes_BKF.shape[0], 0)
        wav_BT = self._decode(codes_BKF)[:, :samples]
        # DAC's odd strides give a few samples less than whole frames.
        return F.pad(wav_BT, (0, samples - wav_BT.shape[1]))

    @torch.inference_mode()
    def latent(self, codes_BKF: torch.Tensor) -> torch.Tensor:
        return self._latent(codes_BKF).transpose(1, 2)

    @torch.inference_mode()
    def features(self, codes_BKF: torch.Tensor) -> torch.Tensor:
        return self.latent(codes_BKF).float()


def pickled_tensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a pickle; nothing else is unpickled. Raises InputError where there is something else."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise codec_error(f"{path} cannot be read as pickled tensors") from error
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise codec_error(f"{path} holds something else than the tensors of a model")
    return state


@contextmanager
def no_progress_bars() -> Iterator[None]:
    """transformers draws none meanwhile: a codec is read in a second."""
    from transformers.utils import logging

    drawn = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if drawn:
            logging.enable_progress_bar()


def codec_error(message: str) -> InputError:
    return InputError(f"codec: {message}", field="codec")


def pickle_error(path: Path) -> InputError:
    """Of weights whose reading may run code."""
    return codec_error(
        f"{path} holds pickled weights, which are not read unless asked: `speechx model convert {path} "
        "--allow-pickle -o FOLDER` makes safetensors of them"
    )

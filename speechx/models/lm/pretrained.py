"""The language model as a transformers model: `CodecLM.from_pretrained(folder)`, `.save_pretrained(folder)`.

Kept apart from speechx.models.lm.model because importing transformers takes seconds that running a model does not need.
"""

from pathlib import Path
from typing import Any, Self

import torch
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel

from speechx.models.folder import CONFIG_FILE
from speechx.models.hub import fetch_folder, is_hub_name
from speechx.models.lm.batch import LMBatch
from speechx.models.lm.config import LMConfig
from speechx.models.lm.folder import MODEL_TYPE, load_model, save_model
from speechx.models.lm.model import CodecLMCore, LMOutput


class CodecLMConfig(PretrainedConfig):
    """LMConfig with the names transformers expects; its fields are those of LMConfig."""

    model_type = MODEL_TYPE

    def __init__(self, **values: Any) -> None:
        own = {k: values.pop(k) for k in list(values) if k in LMConfig.model_fields}
        for name, value in LMConfig.from_dict(own).to_dict().items():
            setattr(self, name, value)
        super().__init__(**values)

    @classmethod
    def preset(cls, name: str, **changes: Any) -> Self:
        return cls(**LMConfig.preset(name, **changes).to_dict())

    def lm(self) -> LMConfig:
        """The plain config."""
        return LMConfig.from_dict({k: getattr(self, k) for k in LMConfig.model_fields})


class CodecLM(PreTrainedModel):
    """The codec language model. `core` is the torch module that the engine and the trainer work with."""

    config_class = CodecLMConfig
    base_model_prefix = "core"

    def __init__(self, config: CodecLMConfig, core: CodecLMCore | None = None) -> None:
        super().__init__(config)
        self.core = core or CodecLMCore(config.lm())

    def forward(self, batch: LMBatch) -> LMOutput:
        return self.core(batch)

    def _init_weights(self, module: torch.nn.Module) -> None:
        """CodecLMCore draws its own weights."""

    def save_pretrained(self, save_directory: str | Path, **_: Any) -> None:  # type: ignore[override]
        """Write config.json and model.safetensors (fp16)."""
        save_model(self.core, save_directory)

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls,
        pretrained_model_name_or_path: str | Path,
        *args: Any,
        dtype: torch.dtype | None = None,
        **kwargs: Any,
    ) -> Self:
        """Loads the folder of a language model, or a model folder's lm/; `org/name` is one of the Hugging Face hub.

        kwargs: revision, and subfolder; others of transformers are not used. Raises InputError for one that cannot be used.
        """
        source = str(pretrained_model_name_or_path)
        if is_hub_name(source):
            revision = kwargs.get("revision")
            folder = fetch_folder(f"{source}@{revision}" if revision else source)
        else:
            folder = Path(source)
        folder = folder / (kwargs.get("subfolder") or "")
        if not (folder / CONFIG_FILE).is_file() and (folder / "lm" / CONFIG_FILE).is_file():
            folder = folder / "lm"
        core = load_model(folder, dtype=dtype or torch.float32)
        return cls(CodecLMConfig(**core.shape.to_dict()), core).eval()


AutoConfig.register(MODEL_TYPE, CodecLMConfig, exist_ok=True)
AutoModel.register(CodecLMConfig, CodecLM, exist_ok=True)

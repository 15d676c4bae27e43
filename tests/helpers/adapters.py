"""Adapters of random factors for the model in the package, or any other."""

import torch

from speechx.models.adapter_file import AdapterInfo, write_adapter
from speechx.models.lm.model import CodecLMCore
from speechx.models.lora import add_lora, lora_factors


def adapter_bytes(core: CodecLMCore, base: str, seed: int = 1, size: float = 0.1, **facts: object) -> bytes:
    """The file of an adapter of rank 2 that changes something. The model gets parametrized factors: pass a copy."""
    add_lora(core, rank=2)
    generator = torch.Generator().manual_seed(seed)
    tensors = {k: torch.randn(v.shape, generator=generator) * size for k, v in lora_factors(core).items()}
    return write_adapter(AdapterInfo(name="anna", base=base, rank=2, consent=True, **facts), tensors)

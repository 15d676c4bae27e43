"""Adapter files: what was written is read, and anything else is refused in one sentence."""

import json

import pytest
import torch
from safetensors.torch import save

from speechx.errors import InputError
from speechx.models.adapter_file import METADATA, AdapterInfo, adapter_hash, read_adapter, write_adapter

INFO = AdapterInfo(
    name="anna", base="0123456789abcdef", languages=("en", "es"), rank=2, minutes=20, consent=True
)
TENSORS = {"first_head.weight.up": torch.ones(4, 2) / 3, "first_head.weight.down": torch.ones(2, 4)}


def test_what_was_written_is_read() -> None:
    data = write_adapter(INFO, TENSORS)
    info, adapter = read_adapter(data)
    assert info == INFO and adapter.scope.languages == ("en", "es")
    assert adapter.name == adapter_hash(data) and len(adapter.name) == 16
    for name, value in TENSORS.items():
        torch.testing.assert_close(adapter.tensors[name], value, atol=1e-3, rtol=0)
    assert data == write_adapter(INFO, TENSORS), "the same adapter, the same hash"


def described(**changes: object) -> bytes:
    values = {**INFO.to_dict(), **changes}
    return save(TENSORS, metadata={METADATA: json.dumps(values)})


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"RIFF" + bytes(100), "no safetensors file"),
        (b"", "no safetensors file"),
        (write_adapter(INFO, TENSORS)[:-7], "no safetensors file"),
        (save(TENSORS), "no adapter of SpeechX"),
        (save(TENSORS, metadata={METADATA: "{"}), "its description cannot be read"),
        (described(languages=["xx"]), "language 'xx' is not supported"),
        (described(colour="red"), "has no key colour"),
        (described(format=2), "another release"),
        (write_adapter(INFO, {"first_head.weight": torch.ones(4, 4)}), "no LoRA adapter"),
        (write_adapter(INFO, {**TENSORS, "first_head.weight.up": torch.full((4, 2), 1e9)}), "not finite"),
    ],
)
def test_anything_else_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        read_adapter(data)
    assert caught.value.field == "adapter"

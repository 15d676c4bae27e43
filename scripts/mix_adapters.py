"""Goes a part of the way from the adapter that a language model has to one that was trained from it.

    python scripts/mix_adapters.py LM_FOLDER TRAINED.safetensors SHARE OUT.safetensors

LM_FOLDER has the adapter in adapter.safetensors. SHARE of the way, 0 to 1; OUT has the scope and the rank of TRAINED.
"""

from __future__ import annotations

import sys
from pathlib import Path

from speechx.files import atomic_write
from speechx.models.adapter_file import read_adapter as read_adapter_file
from speechx.models.adapter_file import write_adapter
from speechx.models.lm.folder import read_adapter
from speechx.models.lora import mix_lora


def main(folder: str, trained: str, share: str, out: str) -> None:
    """See the module's docstring."""
    info, new = read_adapter_file(Path(trained).read_bytes())
    old = read_adapter(folder)
    if old is None:
        raise SystemExit(f"{folder} has no adapter.safetensors")
    atomic_write(Path(out), write_adapter(info, mix_lora(new.tensors, old.tensors, float(share), new.rank)))


if __name__ == "__main__":
    if len(sys.argv) != 5:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])

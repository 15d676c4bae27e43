"""The mean of two language models of one shape, weight by weight: the second one began from the first.

    python scripts/mix_models.py LM_FOLDER TRAINED_LM_FOLDER SHARE OUT

SHARE of the way from the first to the second, 0 to 1 (WiSE-FT, Wortsman et al. 2022). Adapters are left out.
"""

from __future__ import annotations

import sys

import torch

from speechx.models.lm.folder import load_model, save_model


def main(first: str, second: str, share: str, out: str) -> None:
    """See the module's docstring."""
    model, other = load_model(first, adapter=False), load_model(second, adapter=False)
    if model.shape != other.shape:
        raise SystemExit(f"{first} and {second} have different shapes")
    weights, new = model.state_dict(), other.state_dict()
    model.load_state_dict({name: torch.lerp(weights[name], new[name], float(share)) for name in weights})
    save_model(model, out)


if __name__ == "__main__":
    if len(sys.argv) != 5:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])

"""A language model meets a codec some of whose codebooks are new: what knew the old ones begins anew.

The rows of new codes start as random projections of the vectors that the codes stand for, so that codes that sound alike
are alike from the first step on: with few hours of speech most codes of the last codebooks are seen a few hundred times.

Legend: K codebooks, V entries, D axes of the codec's vectors, C columns of a table, G code slots of a step.
"""

from __future__ import annotations

import torch

from speechx.models.lm.model import CodecLMCore

__all__ = ["start_codes"]


@torch.no_grad()
def start_codes(model: CodecLMCore, new: int, vectors_KVD: torch.Tensor | None, seed: int) -> None:
    """Draws what knows the last `new` codebooks again. Without vectors, as for a model that knows nothing.

    Tables keep the size that they had, the sum of a frame's new rows being as large as before on average.
    """
    c, V = model.shape, model.shape.codebook_size
    if not 0 < new <= c.num_codebooks:
        raise ValueError(f"new_codebooks is {new}; the codec has {c.num_codebooks}")
    old = c.num_codebooks - new
    slots = list(range(old, c.num_codebooks))
    generator = torch.Generator().manual_seed(seed)
    device = model.embed.weight.device

    def rows(width: int, sizes: list[torch.Tensor], books: list[int]) -> list[torch.Tensor]:
        """A table (V, C) for each codebook of `books`, of the size of the tables that it replaces."""
        if vectors_KVD is None:
            return [(torch.randn(V, width, generator=generator) * 0.02).to(device) for _ in books]
        axes = vectors_KVD.shape[-1]
        spread = torch.randn(axes, width, generator=generator) / axes**0.5
        tables = [vectors_KVD[k].cpu() @ spread for k in books]
        size = torch.stack([t.square().mean() for t in sizes]).mean().cpu()
        factor = (size / torch.stack([t.square().mean() for t in tables]).mean()).sqrt()
        noise = 0.1 * size.sqrt()
        return [(t * factor + torch.randn(V, width, generator=generator) * noise).to(device) for t in tables]

    first = model.rows.code
    old_rows = [model.embed.weight[first + s * V : first + (s + 1) * V] for s in slots]
    for table, made in zip(old_rows, rows(c.dim, old_rows, slots), strict=True):
        table.copy_(made)
    inputs = [s for s in slots if s < c.num_codebooks - 1]
    old_rows = [model.local_embed.weight[s * V : (s + 1) * V] for s in inputs]
    if inputs:
        new_rows = rows(c.local_dim, old_rows, inputs)
        for table, made in zip(old_rows, new_rows, strict=True):
            table.copy_(made)
    if slots[0] == 0:
        torch.nn.init.normal_(model.first_head.weight, std=0.02)
    outputs = [s for s in slots if s > 0]
    old_heads = [model.local_heads[s - 1].T for s in outputs]
    for head, made in zip(old_heads, rows(c.local_dim, old_heads, outputs), strict=True):
        head.copy_(made)
    if c.copies:
        for s in outputs:
            model.copy.gates[s - 1] = 0
            model.copy.kept[s - 1] = 0
            model.copy.codes[1 + (s - 1) * V : 1 + s * V] = 0

"""Drawing of values from logits."""

from __future__ import annotations

import numpy as np

from speechx.engine.kernels.compiling import compiled
from speechx.engine.kernels.numbers import exponential


@compiled
def draw(
    logits_NV: np.ndarray,
    uniform_N: np.ndarray,
    temperature_N: np.ndarray,
    top_p_N: np.ndarray,
    chosen_N: np.ndarray,
) -> None:
    """One value per row, as `speechx.engine.sampling.draw`, into `chosen`."""
    V = logits_NV.shape[1]
    weight_V, kept = np.empty(V, np.float32), np.empty(V, np.float32)
    place = np.empty(V, np.int64)
    for n in range(len(logits_NV)):
        largest = logits_NV[n].max()
        total = np.float32(0)
        for v in range(V):
            weight_V[v] = exponential((logits_NV[n, v] - largest) / temperature_N[n])
            total += weight_V[v]
        # What is less likely than this lies outside of top_p, even all of it together.
        least = (np.float32(1) - top_p_N[n]) * total / np.float32(V)
        count = 0
        for v in range(V):
            if weight_V[v] > least:
                kept[count], place[count] = -weight_V[v], v
                count += 1
        order = np.argsort(kept[:count])
        chosen_N[n] = 0
        if count == 0:  # a logit is not a number
            continue
        mass, last = np.float32(0), 0
        for rank in range(count):
            mass -= kept[order[rank]]
            last = rank
            if mass >= top_p_N[n] * total:
                break
        wanted, reached = uniform_N[n] * mass, np.float32(0)
        for rank in range(last + 1):
            reached -= kept[order[rank]]
            chosen_N[n] = place[order[rank]]
            if reached > wanted:
                break

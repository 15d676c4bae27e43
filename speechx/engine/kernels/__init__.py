"""The transformer's arithmetic for the few rows of a decoding step, compiled for this processor when first used (Numba).

A step of a small model is some 400 operations of a few microseconds, and a library that is called for each of them takes
longer to be called than to compute. Here a whole step of the global transformer is one call, and so is each code of the
local one (`steps`). They hold no lock, so that threads can share the rows of a step.

Weights are int8 with one scale per output (`products`). Rows are computed ROWS at a time, always by the same instructions,
so a row's bits do not depend on its neighbors.

Shape suffixes: N rows, a multiple of ROWS; I and O inputs and outputs of a product; L layers, D width, F width of the
feed-forward part, H heads, E width of a head, S slots, T steps, V code values. The 2 is keys, values.
"""

from speechx.engine.kernels.drawing import draw
from speechx.engine.kernels.products import ROWS, multiplies_int8, pack_rows, product
from speechx.engine.kernels.steps import BlockWeights, attend, global_step, local_step

__all__ = [
    "ROWS",
    "BlockWeights",
    "attend",
    "draw",
    "global_step",
    "local_step",
    "multiplies_int8",
    "pack_rows",
    "product",
]

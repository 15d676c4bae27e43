"""Products of the rows of a step with a matrix, whose layout decides how.

Rows (O, I), int8 or float32, on every processor: each weight becomes a float32, and what it is multiplied by stays one.

Tiles (O / 16, I / 4, 16, 4), uint8 (the weights plus 128), on processors that multiply int8 (AVX-512 VNNI): each row is
rounded to int8 by a scale of its own, and its sums are exact. One instruction multiplies four inputs of 16 outputs, so
this takes a third of the time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.core.registry import cpu_target
from numba.extending import intrinsic, register_jitable

from speechx.engine.kernels.compiling import compiled, compiled_exactly

ROWS = 3
"""Rows that a product takes at once: the candidates of a phrase."""

LANES = 16  # outputs of a tile
QUAD = 4  # inputs that are added up at once
TILES = 2  # at once, so that each input is read half as often


def multiplies_int8() -> bool:
    """Whether the processor that Numba compiles for has the instruction for tiles."""
    if config.DISABLE_JIT:  # type: ignore[attr-defined]  # made when Numba reads its settings
        return False
    features: str = cpu_target.target_context.codegen().magic_tuple()[2]
    return "+avx512vnni" in features.split(",")


def pack_rows(weight_OI: np.ndarray, tiles: bool) -> np.ndarray:
    """int8 rows, or tiles of them, filled up with zeros to whole tiles."""
    if not tiles:
        return np.ascontiguousarray(weight_OI)
    outputs, inputs = weight_OI.shape
    missing = -outputs % (LANES * TILES), -inputs % QUAD
    filled = np.pad(weight_OI, ((0, missing[0]), (0, missing[1])))
    shape = len(filled) // LANES, LANES, filled.shape[1] // QUAD, QUAD
    return np.ascontiguousarray(
        (filled.astype(np.int16) + 128).astype(np.uint8).reshape(shape).swapaxes(1, 2)
    )


@compiled
def product(x_NI: np.ndarray, weight: np.ndarray, scale_O: np.ndarray, y_NO: np.ndarray, adds: bool) -> None:
    """x times the transposed weight, into y or added to it. weight: rows or tiles, each output with its scale."""
    if weight.ndim == 4:
        product_of_tiles(x_NI, weight, scale_O, y_NO, adds)
    else:
        product_of_rows(x_NI, weight, scale_O, y_NO, adds)


@register_jitable
def put(
    y_NO: np.ndarray,
    n: int,
    o: int,
    scale: np.float32,
    a: np.float32,
    b: np.float32,
    c: np.float32,
    adds: bool,
) -> None:
    """Writes or adds an output of ROWS rows."""
    if adds:
        y_NO[n, o] += a * scale
        y_NO[n + 1, o] += b * scale
        y_NO[n + 2, o] += c * scale
    else:
        y_NO[n, o], y_NO[n + 1, o], y_NO[n + 2, o] = a * scale, b * scale, c * scale


@register_jitable
def product_of_rows(
    x_NI: np.ndarray, weight_OI: np.ndarray, scale_O: np.ndarray, y_NO: np.ndarray, adds: bool
) -> None:
    """Two outputs at once, so that each x is read half as often."""
    outputs = len(weight_OI)
    for n in range(0, len(x_NI), ROWS):
        for o in range(0, outputs, 2):
            other = min(o + 1, outputs - 1)
            a = b = c = d = e = f = np.float32(0)
            for i in range(weight_OI.shape[1]):
                w, v = np.float32(weight_OI[o, i]), np.float32(weight_OI[other, i])
                x, y, z = x_NI[n, i], x_NI[n + 1, i], x_NI[n + 2, i]
                a += x * w
                b += y * w
                c += z * w
                d += x * v
                e += y * v
                f += z * v
            put(y_NO, n, o, scale_O[o], a, b, c, adds)
            if other > o:
                put(y_NO, n, other, scale_O[other], d, e, f, adds)


@compiled_exactly
def product_of_tiles(
    x_NI: np.ndarray, weight: np.ndarray, scale_O: np.ndarray, y_NO: np.ndarray, adds: bool
) -> None:
    """Rows rounded to int8 at first. The weights are 128 too large, which 128 times the sum of a row makes up for."""
    outputs, inputs = y_NO.shape[1], QUAD * weight.shape[1]
    rounded_NI = np.zeros((len(x_NI), inputs), np.int8)
    scale_N, excess_N = np.empty(len(x_NI), np.float32), np.empty(len(x_NI), np.int32)
    for n in range(len(x_NI)):
        scale_N[n], excess_N[n] = round_row(x_NI[n], rounded_NI[n])
    sums = np.empty((ROWS, TILES * LANES), np.int32)
    for tile in range(0, len(weight), TILES):
        first = tile * LANES
        count = min(TILES * LANES, outputs - first)
        for n in range(0, len(x_NI), ROWS):
            multiply_tiles(
                rounded_NI[n:].ctypes.data,
                weight[tile:].ctypes.data,
                np.intp(weight.shape[1]),
                sums.ctypes.data,
            )
            for row in range(ROWS):
                scale, excess = scale_N[n + row], excess_N[n + row]
                y_O, scales_O, sums_O = y_NO[n + row, first:], scale_O[first:], sums[row]
                if adds:
                    for o in range(count):
                        y_O[o] += np.float32(np.int32(sums_O[o] - excess)) * scales_O[o] * scale
                else:
                    for o in range(count):
                        y_O[o] = np.float32(np.int32(sums_O[o] - excess)) * scales_O[o] * scale


@compiled_exactly
def round_row(x_I: np.ndarray, rounded_I: np.ndarray) -> tuple[np.float32, np.int32]:
    """A row as int8 whose largest is 127; its scale, and 128 times its sum. What is no number makes the scale none."""
    largest, broken = np.float32(1e-30), np.float32(0)
    for i in range(len(x_I)):
        largest = max(largest, abs(x_I[i]))
        broken += x_I[i] * np.float32(0)
    factor = np.float32(127) / largest
    total = np.int32(0)
    for i in range(len(x_I)):
        value = np.int32(np.floor(x_I[i] * factor + np.float32(0.5)))
        rounded_I[i] = value
        total = np.int32(total + value)
    return largest / np.float32(127) + broken, np.int32(total * np.int32(128))


def _multiply_tiles(typingctx: Any, x: Any, weight: Any, quads: Any, sums: Any) -> Any:
    """sums (ROWS, TILES * LANES) int32: ROWS rows of 4 * quads int8 times TILES tiles. x, weight, sums: addresses."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        int32, int64 = ir.IntType(32), ir.IntType(64)
        vector = ir.VectorType(int32, LANES)
        function = ir.FunctionType(vector, [vector] * 3)
        add_products = cgutils.get_or_insert_function(
            builder.module, function, "llvm.x86.avx512.vpdpbusd.512"
        )
        x, weight, quads, sums = args
        zeros = ir.Constant(vector, [0] * LANES)

        def pointer(base: Any, step: Any, step_bytes: int, row: int, row_bytes: Any, kind: Any) -> Any:
            """base + step * step_bytes + row * row_bytes"""
            at = builder.add(base, builder.mul(step, ir.Constant(int64, step_bytes)))
            at = builder.add(at, builder.mul(row_bytes, ir.Constant(int64, row)))
            return builder.inttoptr(at, kind.as_pointer())

        totals = [[cgutils.alloca_once(builder, vector) for _ in range(TILES)] for _ in range(ROWS)]
        for total in (total for row in totals for total in row):
            builder.store(zeros, total)
        row_bytes = builder.mul(quads, ir.Constant(int64, QUAD))
        tile_bytes = builder.mul(row_bytes, ir.Constant(int64, LANES))
        with cgutils.for_range(builder, quads) as loop:
            weights = [
                builder.load(pointer(weight, loop.index, QUAD * LANES, tile, tile_bytes, vector), align=1)
                for tile in range(TILES)
            ]
            for row in range(ROWS):
                four = builder.load(pointer(x, loop.index, QUAD, row, row_bytes, int32), align=1)
                first = builder.insert_element(zeros, four, ir.Constant(int32, 0))
                inputs = builder.shuffle_vector(first, zeros, zeros)  # the four inputs in each lane
                for total, outputs in zip(totals[row], weights, strict=True):
                    builder.store(builder.call(add_products, [builder.load(total), outputs, inputs]), total)
        lane_bytes, none = ir.Constant(int64, 4 * LANES), ir.Constant(int64, 0)
        for number, total in enumerate(total for row in totals for total in row):
            at = pointer(sums, none, 0, number, lane_bytes, vector)
            builder.store(builder.load(total), at, align=1)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 4), generate


multiply_tiles: Any = intrinsic(_multiply_tiles)

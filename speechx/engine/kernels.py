"""The transformer's arithmetic for the few rows of a decoding step, compiled for this processor when first used (Numba).

A step of a small model is some 400 operations of a few microseconds, and a library that is called for each of them takes
longer to be called than to compute. Here a whole step of the global transformer is one call, and so is each code of the
local one. They hold no lock, so that threads can share the rows of a step.

Weights are int8 with one scale per output; what they are multiplied by stays float32. Rows are computed ROWS at a time,
always by the same instructions, so a row's bits do not depend on its neighbors.

Shape suffixes: N rows, a multiple of ROWS; I and O inputs and outputs of a product; L layers, D width, F width of the
feed-forward part, H heads, E width of a head, S slots, T steps, V code values. The 2 is keys, values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numba import njit
from numba.extending import register_jitable

Compiled = TypeVar("Compiled", bound=Callable[..., Any])

ROWS = 3
"""Rows that a product takes at once: the candidates of a phrase."""

LOG2_E = np.float32(1.4426950408889634)
EPS = np.float32(1e-5)
"""NORM_EPS of speechx.models.lm.transformer. The kernels on disk are made anew when this file changes, and no other."""


def compiled(function: Compiled) -> Compiled:
    """Compiled at the first call; kept on disk for later processes where there is a place for it."""
    options: dict[str, Any] = {"nogil": True, "fastmath": {"reassoc", "contract", "nsz", "arcp"}}
    try:
        return njit(cache=True, **options)(function)
    except RuntimeError:  # neither the package's folder nor a home can be written
        return njit(**options)(function)


class BlockWeights(NamedTuple):
    """The matrices of a stack of transformer blocks, (L, O, I) each, and their scales (L, O)."""

    qkv: np.ndarray
    qkv_scale: np.ndarray
    out: np.ndarray
    out_scale: np.ndarray
    gate_up: np.ndarray
    gate_up_scale: np.ndarray
    down: np.ndarray
    down_scale: np.ndarray


@register_jitable
def as_float(bits: np.uint16) -> np.float32:
    """The number whose bfloat16 has these bits."""
    return np.uint32(np.uint32(bits) << np.uint32(16)).view(np.float32)


@register_jitable
def as_bfloat16(value: np.float32) -> np.uint16:
    """Its bits, rounded to the nearest even."""
    bits = np.float32(value).view(np.uint32)
    return np.uint16((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16))


@register_jitable
def exponential(x: np.float32) -> np.float32:
    """e to the x to 2e-7 of it, by operations that are done for many x at once (a polynomial of 2 to the fraction)."""
    scaled = min(max(x * LOG2_E, np.float32(-126)), np.float32(126))
    whole = np.floor(scaled + np.float32(0.5))
    r = (scaled - whole) * np.float32(0.6931471805599453)
    p = np.float32(1 / 720)
    p = p * r + np.float32(1 / 120)
    p = p * r + np.float32(1 / 24)
    p = p * r + np.float32(1 / 6)
    p = p * r + np.float32(0.5)
    p = p * r + np.float32(1)
    p = p * r + np.float32(1)
    return p * np.uint32((np.int32(whole) + np.int32(127)) << np.int32(23)).view(np.float32)


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


@compiled
def product(
    x_NI: np.ndarray, weight_OI: np.ndarray, scale_O: np.ndarray, y_NO: np.ndarray, adds: bool
) -> None:
    """x times the transposed weight, into y or added to it. Two outputs at once, so that each x is read half as often."""
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


@compiled
def rms_norm(x_ND: np.ndarray, y_ND: np.ndarray) -> None:
    """Root-mean-square norm of each row, as in speechx.models.lm.transformer."""
    for n in range(len(x_ND)):
        total = np.float32(0)
        for d in range(x_ND.shape[1]):
            total += x_ND[n, d] * x_ND[n, d]
        factor = np.float32(1) / np.sqrt(total / np.float32(x_ND.shape[1]) + EPS)
        for d in range(x_ND.shape[1]):
            y_ND[n, d] = x_ND[n, d] * factor


@compiled
def attend(
    q_E: np.ndarray, keys_TE: np.ndarray, values_TE: np.ndarray, scores_T: np.ndarray, y_E: np.ndarray
) -> None:
    """Attention of one head's query to all steps given, into y."""
    T, E = keys_TE.shape
    whole = T - T % 4  # four steps at once: the query and the result are read a quarter as often
    scale = np.float32(1) / np.sqrt(np.float32(E))
    for t in range(0, whole, 4):
        s0 = s1 = s2 = s3 = np.float32(0)
        for e in range(E):
            q = q_E[e]
            s0 += q * as_float(keys_TE[t, e])
            s1 += q * as_float(keys_TE[t + 1, e])
            s2 += q * as_float(keys_TE[t + 2, e])
            s3 += q * as_float(keys_TE[t + 3, e])
        scores_T[t], scores_T[t + 1], scores_T[t + 2], scores_T[t + 3] = s0, s1, s2, s3
    for t in range(whole, T):
        s = np.float32(0)
        for e in range(E):
            s += q_E[e] * as_float(keys_TE[t, e])
        scores_T[t] = s
    largest = scores_T[:T].max()
    total = np.float32(0)
    for t in range(T):
        scores_T[t] = exponential((scores_T[t] - largest) * scale)
        total += scores_T[t]
    y_E[:] = 0
    for t in range(0, whole, 4):
        p0, p1, p2, p3 = scores_T[t], scores_T[t + 1], scores_T[t + 2], scores_T[t + 3]
        for e in range(E):
            y_E[e] += (
                p0 * as_float(values_TE[t, e])
                + p1 * as_float(values_TE[t + 1, e])
                + p2 * as_float(values_TE[t + 2, e])
                + p3 * as_float(values_TE[t + 3, e])
            )
    for t in range(whole, T):
        for e in range(E):
            y_E[e] += scores_T[t] * as_float(values_TE[t, e])
    for e in range(E):
        y_E[e] /= total


@compiled
def feed_forward(x_ND: np.ndarray, normed_ND: np.ndarray, w: BlockWeights, layer: int) -> None:
    """The SwiGLU half of a block, added to x. normed: to write into."""
    N, F = len(x_ND), w.down.shape[2]
    rms_norm(x_ND, normed_ND)
    gate_up = np.empty((N, 2 * F), np.float32)
    product(normed_ND, w.gate_up[layer], w.gate_up_scale[layer], gate_up, False)
    hidden = np.empty((N, F), np.float32)
    for n in range(N):
        for f in range(F):
            gate = gate_up[n, f]
            hidden[n, f] = gate / (np.float32(1) + exponential(-gate)) * gate_up[n, F + f]
    product(hidden, w.down[layer], w.down_scale[layer], x_ND, True)


@compiled
def global_step(
    x_ND: np.ndarray,
    rope_N2E: np.ndarray,
    slots_N: np.ndarray,
    lengths_N: np.ndarray,
    kv_LS2HTE: np.ndarray,
    w: BlockWeights,
) -> None:
    """One step of all blocks, x into the normed output; the new keys and values are stored at `lengths`.

    rope_N2E: cosines and sines of each row's position, by pairs of neighboring values. Rows with a length below 0 are
    filling, and read and store nothing.
    """
    N, D = x_ND.shape
    L, _, _, H, T, E = kv_LS2HTE.shape
    normed = np.empty((N, D), np.float32)
    qkv = np.empty((N, 3 * D), np.float32)
    y = np.zeros((N, D), np.float32)
    scores = np.empty(T, np.float32)
    for layer in range(L):
        rms_norm(x_ND, normed)
        product(normed, w.qkv[layer], w.qkv_scale[layer], qkv, False)
        for n in range(N):
            if lengths_N[n] < 0:
                continue
            at, kv = lengths_N[n], kv_LS2HTE[layer, slots_N[n]]
            for head in range(2 * H):  # queries and keys
                for e in range(E // 2):
                    i = head * E + 2 * e
                    cos, sin = rope_N2E[n, 0, e], rope_N2E[n, 1, e]
                    a, b = qkv[n, i], qkv[n, i + 1]
                    qkv[n, i] = a * cos - b * sin
                    qkv[n, i + 1] = a * sin + b * cos
            for head in range(H):
                for e in range(E):
                    kv[0, head, at, e] = as_bfloat16(qkv[n, D + head * E + e])
                    kv[1, head, at, e] = as_bfloat16(qkv[n, 2 * D + head * E + e])
                mine = slice(head * E, head * E + E)
                attend(qkv[n, mine], kv[0, head, : at + 1], kv[1, head, : at + 1], scores, y[n, mine])
        product(y, w.out[layer], w.out_scale[layer], x_ND, True)
        feed_forward(x_ND, normed, w, layer)
    rms_norm(x_ND, normed)
    x_ND[:] = normed


@compiled
def local_step(x_ND: np.ndarray, k: int, slots_N: np.ndarray, kv_LS2HTE: np.ndarray, w: BlockWeights) -> None:
    """One code's step of the local transformer, x into the normed output. k: how many steps its rows have had."""
    N, D = x_ND.shape
    L, _, _, H, T, E = kv_LS2HTE.shape
    normed = np.empty((N, D), np.float32)
    qkv = np.empty((N, 3 * D), np.float32)
    y = np.empty((N, D), np.float32)
    scores = np.empty(T, np.float32)
    for layer in range(L):
        rms_norm(x_ND, normed)
        product(normed, w.qkv[layer], w.qkv_scale[layer], qkv, False)
        for n in range(N):
            kv = kv_LS2HTE[layer, slots_N[n]]
            for head in range(H):
                for e in range(E):
                    kv[0, head, k, e] = as_bfloat16(qkv[n, D + head * E + e])
                    kv[1, head, k, e] = as_bfloat16(qkv[n, 2 * D + head * E + e])
                mine = slice(head * E, head * E + E)
                attend(qkv[n, mine], kv[0, head, : k + 1], kv[1, head, : k + 1], scores, y[n, mine])
        product(y, w.out[layer], w.out_scale[layer], x_ND, True)
        feed_forward(x_ND, normed, w, layer)
    rms_norm(x_ND, normed)
    x_ND[:] = normed


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

"""Steps of the two transformers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from speechx.engine.kernels.compiling import compiled
from speechx.engine.kernels.numbers import as_bfloat16, as_float, exponential
from speechx.engine.kernels.products import product

EPS = np.float32(1e-5)
"""NORM_EPS of speechx.models.lm.transformer, of which Numba makes a constant."""


class BlockWeights(NamedTuple):
    """The matrices of a stack of transformer blocks, L times rows or tiles each, and their scales (L, O)."""

    qkv: np.ndarray
    qkv_scale: np.ndarray
    out: np.ndarray
    out_scale: np.ndarray
    gate_up: np.ndarray
    gate_up_scale: np.ndarray
    down: np.ndarray
    down_scale: np.ndarray


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
def attend_with(
    qkv_I: np.ndarray, kv_2HTE: np.ndarray, at: int, scores_T: np.ndarray, y_D: np.ndarray
) -> None:
    """Attention of all heads of one row to the steps up to `at`, into y. The row's keys and values are stored first.

    qkv_I: its queries, keys and values, one after the other.
    """
    _, H, _, E = kv_2HTE.shape
    for head in range(H):
        for e in range(E):
            kv_2HTE[0, head, at, e] = as_bfloat16(qkv_I[(H + head) * E + e])
            kv_2HTE[1, head, at, e] = as_bfloat16(qkv_I[(2 * H + head) * E + e])
        mine = slice(head * E, head * E + E)
        attend(qkv_I[mine], kv_2HTE[0, head, : at + 1], kv_2HTE[1, head, : at + 1], scores_T, y_D[mine])


@compiled
def feed_forward(x_ND: np.ndarray, normed_ND: np.ndarray, w: BlockWeights, layer: int) -> None:
    """The SwiGLU half of a block, added to x. normed: to write into."""
    N, F = len(x_ND), w.gate_up_scale.shape[1] // 2
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
            attend_with(qkv[n], kv, at, scores, y[n])
        product(y, w.out[layer], w.out_scale[layer], x_ND, True)
        feed_forward(x_ND, normed, w, layer)
    rms_norm(x_ND, normed)
    x_ND[:] = normed


@compiled
def local_step(x_ND: np.ndarray, k: int, slots_N: np.ndarray, kv_LS2HTE: np.ndarray, w: BlockWeights) -> None:
    """One code's step of the local transformer, x into the normed output. k: how many steps its rows have had."""
    N, D = x_ND.shape
    L, T = len(kv_LS2HTE), kv_LS2HTE.shape[4]
    normed = np.empty((N, D), np.float32)
    qkv = np.empty((N, 3 * D), np.float32)
    y = np.empty((N, D), np.float32)
    scores = np.empty(T, np.float32)
    for layer in range(L):
        rms_norm(x_ND, normed)
        product(normed, w.qkv[layer], w.qkv_scale[layer], qkv, False)
        for n in range(N):
            attend_with(qkv[n], kv_LS2HTE[layer, slots_N[n]], k, scores, y[n])
        product(y, w.out[layer], w.out_scale[layer], x_ND, True)
        feed_forward(x_ND, normed, w, layer)
    rms_norm(x_ND, normed)
    x_ND[:] = normed

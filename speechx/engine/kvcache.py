"""Keys and values of the global transformer: a slot per running sequence, and a cache of prompt prefixes.

Shape suffixes: L layers, S slots, H heads, T steps, E width of a head; the 2 is keys, values.
"""

from collections import OrderedDict

import torch
from torch import Tensor


class KVCache:
    """One contiguous stretch of `max_steps` per slot. Memory is touched as it fills, not before."""

    def __init__(
        self,
        layers: int,
        slots: int,
        heads: int,
        max_steps: int,
        head_dim: int,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.slots, self.max_steps, self.dtype = slots, max_steps, dtype
        self.kv_LS2HTE = torch.empty(layers, slots, 2, heads, max_steps, head_dim, device=device, dtype=dtype)
        self._views: dict[tuple[int, int], list[Tensor]] = {}

    def views(self, slot: int, count: int) -> list[Tensor]:
        """Keys and values of `count` slots from this one on, (count, 2, H, T, E) for each layer.

        They are made once: slicing in the inner loop costs more than the attention of a short sequence.
        """
        found = self._views.get((slot, count))
        if found is None:
            found = self._views[slot, count] = list(self.kv_LS2HTE[:, slot : slot + count])
        return found

    def read(self, slot: int, steps: int) -> Tensor:
        """A copy of the first steps of a slot, (L, 2, H, T, E)."""
        return self.kv_LS2HTE[:, slot, :, :, :steps].clone()

    def copy(self, source: int, target: int, start: int, stop: int) -> None:
        """Steps [start, stop) of one slot into another."""
        self.kv_LS2HTE[:, target, :, :, start:stop] = self.kv_LS2HTE[:, source, :, :, start:stop]

    def write(self, slot: int, kv_L2HTE: Tensor) -> None:
        """Fill the first steps of a slot."""
        self.kv_LS2HTE[:, slot, :, :, : kv_L2HTE.shape[3]] = kv_L2HTE


class PrefixCache:
    """Keys and values of prompt prefixes (known voices), by content hash.

    The least recently used go first.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self.hits = 0
        self.misses = 0
        self._entries: OrderedDict[str, Tensor] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: str) -> Tensor | None:
        entry = self._entries.get(key)
        if entry is None:
            self.misses += 1
        else:
            self.hits += 1
            self._entries.move_to_end(key)
        return entry

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def put(self, key: str, kv_L2HTE: Tensor) -> None:
        """Keep an entry, dropping older ones; one larger than the whole cache is not kept."""
        size = kv_L2HTE.numel() * kv_L2HTE.element_size()
        if key in self._entries or size > self.max_bytes:
            return
        self._entries[key] = kv_L2HTE
        self.bytes += size
        while self.bytes > self.max_bytes:
            _, oldest = self._entries.popitem(last=False)
            self.bytes -= oldest.numel() * oldest.element_size()

"""The scheduler: sequences wait, get a slot, are prefilled in chunks, decode, and leave. It holds no tensor.

A step decodes every running sequence and, while any is running, prefills at most one chunk, so that a new sequence does
not stall the others for long. Chunks copied from another sequence cost nothing and do not count. Sequences are admitted
and prefilled in the order of arrival. Chunk borders depend on the prompt alone, so that a sequence's numbers do not
depend on what else is running.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush


@dataclass(eq=False)
class ScheduledSequence:
    """A sequence as the scheduler sees it.

    Chunks are the [start, stop) stretches of its prompt to prefill.
    """

    id: int
    chunks: deque[tuple[int, int]]
    deadline: float | None = None
    slot: int = -1
    held: bool = False  # keeps its slot, is not decoded
    copies: bool = False  # its prompt is that of a sequence before it


@dataclass
class SchedulerOutput:
    """One step: sequences past their deadline, chunks to prefill in order, sequences to decode after that."""

    expired: list[ScheduledSequence] = field(default_factory=list)
    prefill: list[tuple[ScheduledSequence, int, int]] = field(default_factory=list)
    decode: list[ScheduledSequence] = field(default_factory=list)


def prompt_chunks(start: int, stop: int, size: int) -> deque[tuple[int, int]]:
    """[start, stop) in pieces of `size`; the last may be shorter."""
    return deque((at, min(at + size, stop)) for at in range(start, stop, size))


class Scheduler:
    """First come, first served, over a fixed number of slots."""

    def __init__(self, slots: int) -> None:
        self._waiting: deque[ScheduledSequence] = deque()
        self._prefilling: deque[ScheduledSequence] = deque()
        self._running: list[ScheduledSequence] = []
        self._live: dict[int, ScheduledSequence] = {}
        self._free = list(range(slots))  # a heap
        self.slots = slots

    def __len__(self) -> int:
        """Sequences that have not left."""
        return len(self._live)

    def __contains__(self, id: int) -> bool:
        return id in self._live

    @property
    def busy(self) -> bool:
        """Whether a sequence has a slot."""
        return len(self._free) < self.slots

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def add(self, entry: ScheduledSequence) -> None:
        assert entry.id not in self._live, f"sequence {entry.id} was added twice"
        self._live[entry.id] = entry
        self._waiting.append(entry)

    def admit(self) -> Iterator[ScheduledSequence]:
        """Give free slots to the first in line.

        The caller may shorten an entry's chunks (a cached prefix).
        """
        while self._free and self._waiting:
            entry = self._waiting.popleft()
            entry.slot = heappop(self._free)
            self._prefilling.append(entry)
            yield entry

    def schedule(self, now: float) -> SchedulerOutput:
        """What this step does. Sequences whose last chunk is prefilled decode in the same step."""
        plan = SchedulerOutput()
        for entry in list(self._live.values()):
            if entry.deadline is not None and now >= entry.deadline:
                plan.expired.append(entry)
                self.remove(entry.id)
        made = False
        while self._prefilling:
            entry = self._prefilling[0]
            if made and not entry.copies:
                break
            while entry.chunks and (entry.copies or not (self._running and made)):
                plan.prefill.append((entry, *entry.chunks.popleft()))
                made |= not entry.copies
            if entry.chunks:
                break
            self._running.append(self._prefilling.popleft())
        # In the order of their slots: neighbors can be attended to in one call.
        plan.decode = sorted((e for e in self._running if not e.held), key=lambda e: e.slot)
        return plan

    def hold(self, id: int, held: bool = True) -> None:
        """Stop decoding a sequence, or go on."""
        self._live[id].held = held

    def slot_of(self, id: int) -> int:
        return self._live[id].slot

    def remove(self, id: int) -> ScheduledSequence | None:
        """Take a sequence out, wherever it is; its slot is free again. None if it is not there."""
        entry = self._live.pop(id, None)
        if entry is None:
            return None
        for line in (self._waiting, self._prefilling, self._running):
            if entry in line:
                line.remove(entry)
        if entry.slot >= 0:
            heappush(self._free, entry.slot)
        return entry

    def check_idle(self) -> None:
        """With no sequence left, every slot is free once."""
        assert not self._live and not self._waiting and not self._prefilling and not self._running
        assert sorted(self._free) == list(range(self.slots)), "a slot leaked"

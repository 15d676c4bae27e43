"""The engine: continuous batching of sequences over one model. It knows token ids, no audio, no task, no thread.

    engine = Engine(core)
    id = engine.add(pack(prompt), SamplingParams(seed=1))
    while engine.has_work:
        for output in engine.step(): ...

The life of a sequence: `add` queues it -> a slot is free: it is admitted, and a known voice's keys and values are
copied from the prefix cache -> its prompt is prefilled in chunks -> each step adds a frame -> its pointer
reaches the end of the text, or its length is reached: the last output says so and the slot is free. At its `stops` it
waits for `resume`. `fork` sets it to the state of another sequence with the same prompt.

Shape suffixes: F frames, K codebooks, G codes of a step, D width.
"""

import time
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import torch

from speechx.engine.compiled_runner import CompiledRunner
from speechx.engine.decoding import TWIN_STEPS, BatchDecoder
from speechx.engine.kernels import ROWS
from speechx.engine.kvcache import PrefixCache
from speechx.engine.model_runner import ModelRunner
from speechx.engine.packed_linear import Precision, best_precision
from speechx.engine.sampling import SamplingParams
from speechx.engine.scheduler import ScheduledSequence, Scheduler, prompt_chunks
from speechx.engine.sequence import Reason, Sequence, StepOutput
from speechx.engine.text_pointer import TextPointer
from speechx.engine.threads import cpu_threads, useful_threads
from speechx.models.lm.model import CodecLMCore
from speechx.models.lm.prompt import PackedPrompt
from speechx.models.vocab import PAD

PREFILL_CHUNK = 128
PREFIX_BYTES = 128 << 20
ADAPTERS = 8
"""Adapters of voices whose weights are kept ready; a further one costs its first request 0.12 s of a core."""


class Engine:
    """See the module's docstring. Not thread-safe: one thread calls it."""

    def __init__(
        self,
        core: CodecLMCore,
        slots: int = 8,
        max_steps: int | None = None,
        precision: Precision | None = None,
        prefix_bytes: int = PREFIX_BYTES,
        threads: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """max_steps: longest prompt + target, in steps; the model's own limit where None.

        threads: CPU threads of a step, which share its rows. Where None, as many as make it faster here (`warm_up`).
        Raises ValueError for int8 anywhere but on a CPU.
        """
        c = self.config = core.shape
        self.max_steps = min(max_steps or c.max_positions, c.max_positions)
        self._guides = c.condition_dropout > 0  # each guided sequence has a twin in a slot of its own
        self._most_threads = torch.get_num_threads() if core.embed.weight.device.type == "cpu" else 1
        with cpu_threads(1):  # see `warm_up`
            precision = precision or best_precision(core.embed.weight.device)
            if precision == "int8" and core.embed.weight.device.type != "cpu":
                raise ValueError(f"int8 is for CPUs, and the model is on {core.embed.weight.device}")
            places = 2 * slots if self._guides else slots
            self.runner = (
                CompiledRunner(core, places, self.max_steps)
                if precision == "int8"
                else ModelRunner(core, places, self.max_steps, precision)
            )
        self.decoding = BatchDecoder(self.runner, slots)
        self.prefixes = PrefixCache(prefix_bytes)
        self.scheduler = Scheduler(slots)
        self._clock = clock
        self._sequences: dict[int, Sequence] = {}
        self._next_id = 0
        self._pauses = frozenset(c.pause_phones)
        self._adapters: OrderedDict[str, None] = OrderedDict()  # of voices, the one used last at the end
        self._threads = threads or 0
        self._tried_threads = self._most_threads if threads else 0

    @property
    def slots(self) -> int:
        return self.scheduler.slots

    @property
    def has_work(self) -> bool:
        return len(self.scheduler) > 0

    def add(
        self, prompt: PackedPrompt, params: SamplingParams | None = None, stops: tuple[int, ...] = ()
    ) -> int:
        """Queues a sequence and returns its id. stops: rising places in its text at which it waits for `resume`.

        Raises ValueError for a prompt that leaves no room for its target.
        """
        params = params or SamplingParams()
        c = self.config
        if prompt.codes_TG.shape[1] != c.num_codebooks:
            raise ValueError("the prompt was packed for another model: num_codebooks differs")
        wanted = prompt.frames or 1
        room = min(self.max_steps - len(prompt), c.max_positions - prompt.target_position)
        if room < wanted:
            raise ValueError(
                f"a prompt of {len(prompt)} steps and a target of {wanted} frames do not fit the model's "
                f"{self.max_steps} steps"
            )
        pointer = None
        if prompt.track is not None:
            longest = min(c.max_phone_frames, params.max_phone_frames or c.max_phone_frames)
            pause, pace = c.max_pause_frames, params.max_pace
            pointer = TextPointer(
                prompt, longest, pause, self._pauses, c.max_advance, pace, params.pace_slack
            )
        sequence = Sequence(self._next_id, prompt, params, pointer, c.num_codebooks)
        sequence.limit = min(sequence.limit, room)
        sequence.guided = self._guides and (params.guidance, params.fine_guidance) != (1, 1)
        if prompt.track_codes_TG is not None and params.guidance_knows == "recording":
            sequence.guided &= c.recording_dropout > 0
            sequence.twin_follows = True
        sequence.stops = stops if pointer is not None else ()
        sequence.adapter = self._adapter_of(prompt)
        self._next_id += 1
        self._sequences[sequence.id] = sequence
        self.scheduler.add(
            ScheduledSequence(sequence.id, prompt_chunks(0, len(prompt), PREFILL_CHUNK), params.deadline)
        )
        return sequence.id

    def abort(self, id: int) -> bool:
        """Removes a sequence; no output follows. False if it has left already."""
        self._sequences.pop(id, None)
        return self.scheduler.remove(id) is not None

    def resume(self, id: int) -> None:
        """Continues a sequence that waits at a stop."""
        self.scheduler.hold(id, False)

    @torch.inference_mode()
    def fork(self, source: int, target: int) -> None:
        """Sets `target` to the state of `source`, which has the same prompt. It keeps its own random numbers."""
        one, other = self._sequences[source], self._sequences[target]
        assert len(one.packed) == len(other.packed) and one.guided == other.guided
        a, b = self.scheduler.slot_of(source), self.scheduler.slot_of(target)
        self.runner.cache.copy(a, b, len(one.packed), len(one.packed) + one.steps)
        if one.guided:
            self.runner.cache.copy(a + self.slots, b + self.slots, 0, TWIN_STEPS + one.steps)
        other.copy_state(one)

    @torch.inference_mode()
    def step(self) -> list[StepOutput]:
        """Admit, prefill, decode: one more step for every running sequence."""
        self.warm_up()
        threads = min(self._threads, torch.get_num_threads())
        for entry in self.scheduler.admit():
            self._admit(entry)
        plan = self.scheduler.schedule(self._clock())
        outputs = [self._finish(entry.id, self._empty(), "deadline") for entry in plan.expired]
        with cpu_threads(threads):
            for entry, start, stop in plan.prefill:
                self._prefill(entry, start, stop)
            if plan.decode:
                outputs += self._decode(plan.decode)
        return outputs

    @torch.inference_mode()
    def warm_up(self) -> None:
        """Choose the number of threads, before the first sequence or in its first step, in 0.2 s.

        At most as many as torch has at the moment. Where these become more, the choice is made again.

        Call it where `step` will be called, and nowhere else let torch have more than one thread: each caller has helpers of
        its own, and once they are more than the processors, OpenMP has them sleep after every product.
        """
        most = min(self._most_threads, torch.get_num_threads())
        tried = self._tried_threads
        if self._threads and (2 * self._threads <= tried or most <= tried):
            return
        self._tried_threads = self._threads = most
        cache, slots = self.runner.cache, list(range(min(ROWS * max(2, most), self.runner.cache.slots)))
        x_ND, none = torch.ones(len(slots), self.config.dim, device=self.runner.device), [0] * len(slots)
        step, kept = self.runner.step, [cache.read(slot, 1) for slot in slots]  # sequences may be running
        self.runner.select_adapters([None] * len(slots))
        self._threads = useful_threads(lambda: step(x_ND.clone(), none, slots, none), most)
        for slot, kv_L2HTE in zip(slots, kept, strict=True):
            cache.write(slot, kv_L2HTE)

    def _admit(self, entry: ScheduledSequence) -> None:
        """Choose where prefill starts: after a known prefix. A prefix is always a chunk of its own."""
        sequence = self._sequences[entry.id]
        packed = sequence.packed
        start = 0
        entry.chunks.clear()
        entry.copies = any(r.packed is packed and r.id < sequence.id for r in self._sequences.values())
        if packed.prefix_key is not None:
            kept = self.prefixes.get(self._prefix_key(sequence))
            if kept is None:
                entry.chunks += prompt_chunks(0, packed.prefix_len, PREFILL_CHUNK)
            else:
                self.runner.cache.write(entry.slot, kept)
            start = packed.prefix_len
        entry.chunks += prompt_chunks(start, len(packed), PREFILL_CHUNK)

    def _prefill(self, entry: ScheduledSequence, start: int, stop: int) -> None:
        sequence = self._sequences[entry.id]
        packed, sequence.filled = sequence.packed, stop
        # Candidates of one part share the prompt: its keys and values are computed once.
        for sibling in self._sequences.values():
            if sibling.packed is packed and sibling is not sequence and sibling.filled >= stop:
                self.runner.cache.copy(self.scheduler.slot_of(sibling.id), entry.slot, start, stop)
                return
        x_ND = self.runner.prompt_input(packed, start, stop, sequence.adapter)
        self.runner.select_adapters([sequence.adapter])
        self.runner.prefill(x_ND, packed.positions_T[start:stop], entry.slot, start)
        if packed.prefix_key is not None and stop == packed.prefix_len:
            self.prefixes.put(self._prefix_key(sequence), self.runner.cache.read(entry.slot, stop))

    def _prefix_key(self, sequence: Sequence) -> str:
        """An adapted model gives other keys and values for a voice."""
        plain = sequence.adapter is None
        return f"{sequence.packed.prefix_key}{'' if plain else f' adapted by {sequence.adapter}'}"

    def _adapter_of(self, prompt: PackedPrompt) -> str | None:
        """The name of the adapter for a prompt, which is ready then. Raises ValueError for one of another model."""
        if prompt.adapter is None or not prompt.adapter.scope.holds(prompt.tokens_T):
            return self.runner.own_adapter(prompt)
        name = prompt.adapter.name
        if name not in self._adapters:
            self.runner.add_adapter(prompt.adapter)
        self._adapters[name] = None
        self._adapters.move_to_end(name)
        used = {name, *(s.adapter for s in self._sequences.values())}
        for idle in [old for old in self._adapters if old not in used][
            : max(0, len(self._adapters) - ADAPTERS)
        ]:
            self.runner.remove_adapter(idle)
            del self._adapters[idle]
        return name

    def _decode(self, entries: list[ScheduledSequence]) -> list[StepOutput]:
        """One step of every running sequence."""
        sequences = [self._sequences[entry.id] for entry in entries]
        codes_NG, advance = self.decoding.step(sequences, [entry.slot for entry in entries])
        return [self._emit(r, codes_NG[i], advance[i] if advance else 0) for i, r in enumerate(sequences)]

    def _emit(self, sequence: Sequence, codes_G: np.ndarray, advance: int) -> StepOutput:
        """Take in a step's codes, move the pointer, and say what is new."""
        at = -1 if sequence.pointer is None else sequence.pointer.at
        if len(sequence.recent):
            sequence.recent[sequence.steps % len(sequence.recent)] = codes_G[0]
        sequence.token, sequence.codes_G = PAD, codes_G
        sequence.steps += 1
        sequence.frames += 1
        ended = sequence.pointer is not None and sequence.pointer.move(advance)
        output = StepOutput(sequence.id, codes_G[None], np.array([at], dtype=np.int32))
        if ended or sequence.frames >= sequence.limit:
            exact = sequence.packed.frames is not None and sequence.frames >= sequence.packed.frames
            return self._finish(sequence.id, output, "stop" if ended or exact else "length")
        if sequence.stops_here():
            self.scheduler.hold(sequence.id)
            output.waits = True
        return output

    def _empty(self) -> StepOutput:
        return StepOutput(-1, np.zeros((0, self.config.num_codebooks), np.int16), np.zeros(0, np.int32))

    def _finish(self, id: int, output: StepOutput, reason: Reason) -> StepOutput:
        output.id, output.finished, output.reason = id, True, reason
        self.scheduler.remove(id)
        del self._sequences[id]
        return output

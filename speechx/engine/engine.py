"""The engine: continuous batching of requests over one model. It knows token ids only, no audio, no task, no
thread.

    engine = Engine(core)
    id = engine.add(pack(prompt), SamplingParams(seed=1))
    while engine.has_work:
        for emission in engine.step(): ...

The life of a request: `add` puts it in line -> a slot is free: it is admitted, a known voice's keys and
values are copied from the prefix cache -> its prompt is prefilled in chunks -> each step gives it one more
frame (or group) -> its pointer reaches the end of its text, or its length is reached: the last emission says
so and the slot is free. At the places it was given as `stops` it waits until `resume`; with `fork` it goes on
from where another request of the same prompt is.

Shape suffixes: F frames, K codebooks, G codes of a step, N requests, D width.
"""

import time
from collections.abc import Callable

import numpy as np
import torch

from speechx.engine.guidance import BatchGuidance
from speechx.engine.kvcache import PrefixCache
from speechx.engine.model_runner import Decoder
from speechx.engine.packed_linear import Precision, best_precision
from speechx.engine.sampling import BatchSampler, SamplingParams
from speechx.engine.scheduler import Entry, Scheduler, prompt_chunks
from speechx.engine.sequence import Emission, Reason, Request
from speechx.engine.text_pointer import Pointer
from speechx.engine.threads import cpu_threads, useful_threads
from speechx.models.lm.model import CodecLMCore
from speechx.models.lm.prompt import NO_CODE, PackedPrompt, Prompt, pack, unconditional
from speechx.models.vocab import PAD

PREFILL_CHUNK = 128
PREFIX_BYTES = 128 << 20
SMALL_DIM = 512
GUIDE_STEPS = 1  # of an unconditional prompt: the task token
ANY_SPEECH = 0  # task slot of plain speech


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

        threads: CPU threads of the global transformer. Where None, all for a large model, and for a small one as many as
        make it faster here (`warm_up`). A small model's local transformer has one in any case.
        """
        c = self.config = core.shape
        self.max_steps = min(max_steps or c.max_positions, c.max_positions)
        # A guided request has a second sequence, which has heard nothing of text and voice, in a slot of its own: it begins
        # with the task, or, where it is not to know the recording that the first one follows, as any speech does.
        self._guides = c.condition_dropout > 0
        self._speech = pack(unconditional(Prompt(ANY_SPEECH, ()), 1), c.frames_per_step, c.num_codebooks)
        self._most_threads = torch.get_num_threads() if core.embed.weight.device.type == "cpu" else 1
        with cpu_threads(1):  # see `warm_up`
            precision = precision or best_precision(core.embed.weight.device)
            self.decoder = Decoder(core, 2 * slots if self._guides else slots, self.max_steps, precision)
        self.prefixes = PrefixCache(prefix_bytes)
        self.scheduler = Scheduler(slots)
        self._clock = clock
        self._requests: dict[int, Request] = {}
        self._next_id = 0
        self._pauses = frozenset(c.pause_phones)
        self._threads = threads or 0
        self._samplers: tuple[tuple[int, ...], tuple[BatchSampler, BatchGuidance]] | None = None

    @property
    def slots(self) -> int:
        return self.scheduler.slots

    @property
    def has_work(self) -> bool:
        return len(self.scheduler) > 0

    def add(
        self, prompt: PackedPrompt, params: SamplingParams | None = None, stops: tuple[int, ...] = ()
    ) -> int:
        """Put a request in line; its id. stops: rising places in its text at which it waits for `resume`.

        Raises ValueError for a prompt that leaves no room for its target.
        """
        params = params or SamplingParams()
        c, g = self.config, self.config.frames_per_step
        if prompt.frames_per_step != g or prompt.codes_TG.shape[1] != c.num_slots:
            raise ValueError(
                "the prompt was packed for another model: frames_per_step or num_codebooks differ"
            )
        wanted = prompt.frames or 1
        room = min(self.max_steps - len(prompt), c.max_positions - prompt.target_position)
        if room < -(-wanted // g):
            raise ValueError(
                f"a prompt of {len(prompt)} steps and a target of {wanted} frames do not fit the model's "
                f"{self.max_steps} steps"
            )
        pointer = None
        if prompt.track is not None:
            longest = min(c.max_phone_frames, params.max_phone_frames or c.max_phone_frames)
            pause, pace = c.max_pause_frames, params.max_pace
            pointer = Pointer(prompt, longest, pause, self._pauses, c.max_advance, pace)
        request = Request(self._next_id, prompt, params, pointer, c.num_slots)
        request.limit = min(request.limit, room * g)
        request.guided = self._guides and (params.guidance, params.fine_guidance) != (1, 1)
        if prompt.track_codes_TG is not None and params.guidance_knows == "recording":
            request.guided &= c.recording_dropout > 0
            request.guide_hears = True
        request.stops = stops if pointer is not None else ()
        request.changed = self.decoder.changes(prompt)
        self._next_id += 1
        self._requests[request.id] = request
        self.scheduler.add(Entry(request.id, prompt_chunks(0, len(prompt), PREFILL_CHUNK), params.deadline))
        return request.id

    def abort(self, id: int) -> bool:
        """Take a request out at once; no emission follows. False if it is not there any more."""
        self._requests.pop(id, None)
        return self.scheduler.remove(id) is not None

    def resume(self, id: int) -> None:
        """Let a request that waits go on."""
        self.scheduler.hold(id, False)

    @torch.inference_mode()
    def fork(self, source: int, target: int) -> None:
        """Let one request go on from where another of the same prompt is. It keeps its own random numbers."""
        one, other = self._requests[source], self._requests[target]
        assert len(one.packed) == len(other.packed) and one.guided == other.guided
        a, b = self.scheduler.slot_of(source), self.scheduler.slot_of(target)
        self.decoder.cache.copy(a, b, len(one.packed), len(one.packed) + one.steps)
        if one.guided:
            self.decoder.cache.copy(a + self.slots, b + self.slots, 0, GUIDE_STEPS + one.steps)
        other.follow(one)

    @torch.inference_mode()
    def step(self) -> list[Emission]:
        """Admit, prefill, decode: one more step for every running request."""
        self.warm_up()
        for entry in self.scheduler.admit():
            self._admit(entry)
        plan = self.scheduler.schedule(self._clock())
        emissions = [self._finish(entry.id, self._empty(), "deadline") for entry in plan.expired]
        with cpu_threads(self._threads):
            for entry, start, stop in plan.prefill:
                self._prefill(entry, start, stop)
        if plan.decode:
            with cpu_threads(1 if self.config.dim <= SMALL_DIM else self._threads):
                emissions += self._decode(plan.decode)
        return emissions

    @torch.inference_mode()
    def warm_up(self) -> None:
        """Choose the number of threads, before the first request or in its first step, in 0.2 s.

        Call it where `step` will be called, and nowhere else let torch have more than one thread: each caller has helpers of
        its own, and once they are more than the processors, OpenMP has them sleep after every product.
        """
        if self._threads:
            return
        self._threads = self._most_threads
        if self.config.dim <= SMALL_DIM:
            rows = list(range(min(4, self.decoder.cache.slots)))
            x_ND, none = torch.ones(len(rows), self.config.dim, device=self.decoder.device), [0] * len(rows)
            step = self.decoder.step
            self._threads = useful_threads(lambda: step(x_ND.clone(), none, rows, none), self._most_threads)

    def _admit(self, entry: Entry) -> None:
        """Choose where prefill starts: after a known prefix. A prefix is always a chunk of its own."""
        request = self._requests[entry.id]
        packed = request.packed
        start = 0
        entry.chunks.clear()
        entry.copies = any(r.packed is packed and r.id < request.id for r in self._requests.values())
        if packed.prefix_key is not None:
            kept = self.prefixes.get(self._prefix_key(request))
            if kept is None:
                entry.chunks += prompt_chunks(0, packed.prefix_len, PREFILL_CHUNK)
            else:
                self.decoder.cache.write(entry.slot, kept)
            start = packed.prefix_len
        entry.chunks += prompt_chunks(start, len(packed), PREFILL_CHUNK)

    def _prefill(self, entry: Entry, start: int, stop: int) -> None:
        request = self._requests[entry.id]
        packed, request.filled = request.packed, stop
        # Tries at one part have the same prompt: its keys and values are made once.
        for twin in self._requests.values():
            if twin.packed is packed and twin is not request and twin.filled >= stop:
                self.decoder.cache.copy(self.scheduler.slot_of(twin.id), entry.slot, start, stop)
                return
        x_ND = self.decoder.prompt_input(packed, start, stop)
        self.decoder.change([request.changed])
        self.decoder.prefill(x_ND, packed.positions_T[start:stop], entry.slot, start)
        if packed.prefix_key is not None and stop == packed.prefix_len:
            self.prefixes.put(self._prefix_key(request), self.decoder.cache.read(entry.slot, stop))

    def _prefix_key(self, request: Request) -> str:
        """A changed model makes other keys and values of a voice."""
        return f"{request.packed.prefix_key}{' changed' * request.changed}"

    def _decode(self, entries: list[Entry]) -> list[Emission]:
        """One step of every running request. Second sequences are the rows behind those of the requests."""
        requests = [self._requests[e.id] for e in entries]
        sampler, guidance = self._samplers_of(requests)
        N, guided, deep = len(requests), guidance.rows, guidance.deep
        h_ND = self._advance_sequences(entries, requests, guided)
        uniform = torch.from_numpy(np.stack([r.draws.row() for r in requests])).to(h_ND.device)
        advance = None
        if any(r.pointer is not None for r in requests):
            logits_NA = self.decoder.advance_head(h_ND[:N]).float()
            advance = sampler.choose_advance(logits_NA, uniform[:, -1:]).tolist()

        track_NG = away_track = self._track(requests)
        if guided and track_NG is not None:
            hears_M1 = torch.tensor([[requests[i].guide_hears] for i in guided], device=track_NG.device)
            away_track = torch.where(hears_M1, guidance.of_guided(track_NG), NO_CODE)
        first_away = self.decoder.first_logits(h_ND[N:], away_track) if guided and not deep else None

        def choose(slot: int, logits_NV: torch.Tensor) -> torch.Tensor:
            away_MV = None if slot else first_away
            if deep:
                logits_NV, away_MV = logits_NV[:N], logits_NV[N:]
            if away_MV is not None:
                logits_NV = guidance.push(logits_NV, away_MV, first=slot == 0)
            if slot:
                codes_N = sampler.choose(logits_NV, uniform[:, slot : slot + 1], sampler.fine)
            else:
                recent = self._recent(requests) if sampler.checks_repetition else logits_NV
                codes_N = sampler.choose_first(logits_NV, uniform[:, :1], uniform[:, -2:-1], recent)
            return torch.cat([codes_N, guidance.of_guided(codes_N)]) if deep else codes_N

        if deep and track_NG is not None and away_track is not None:
            track_NG = torch.cat([track_NG, away_track])
        codes_NG = self.decoder.codes(h_ND if deep else h_ND[:N], choose, track_NG)[:N]
        codes = codes_NG.to(torch.int16).cpu().numpy()
        return [self._emit(r, codes[i], advance[i] if advance else 0) for i, r in enumerate(requests)]

    def _advance_sequences(
        self, entries: list[Entry], requests: list[Request], guided: list[int]
    ) -> torch.Tensor:
        """One step of the global transformer for every request, and behind them the second sequences."""
        ids = np.stack([self._input_rows(r) for r in requests])
        positions = [r.packed.target_position + r.steps for r in requests]
        lengths = [len(r.packed) + r.steps for r in requests]
        slots = [e.slot for e in entries]
        if guided:
            ids = np.concatenate([ids, self._guide_rows([entries[i] for i in guided])])
            positions += [GUIDE_STEPS + requests[i].steps for i in guided]
            lengths += [GUIDE_STEPS + requests[i].steps for i in guided]
            slots += [slots[i] + self.slots for i in guided]
        x_ND = self.decoder.sum_rows(ids)
        hears = [i for i in guided if requests[i].guide_hears]
        for i, r in enumerate(requests):
            if r.steps == 0:
                r.track_D = self.decoder.track_input(r.packed, -(-r.limit // self.config.frames_per_step))
            if r.track_D is not None:
                x_ND[i] += r.track_D[r.steps]
                if i in hears:
                    x_ND[len(requests) + guided.index(i)] += r.track_D[r.steps]
        self.decoder.change([r.changed for r in (*requests, *(requests[i] for i in guided))])
        with cpu_threads(self._threads):
            return self.decoder.step(x_ND, positions, slots, lengths)

    def _samplers_of(self, requests: list[Request]) -> tuple[BatchSampler, BatchGuidance]:
        key = tuple(r.id for r in requests)
        if self._samplers is None or self._samplers[0] != key:
            params, guided = [r.params for r in requests], [i for i, r in enumerate(requests) if r.guided]
            device = self.decoder.device
            self._samplers = key, (BatchSampler(params, device), BatchGuidance(params, guided, device))
        return self._samplers[1]

    def _input_rows(self, r: Request) -> np.ndarray:
        phones, age = (None, 0) if r.pointer is None else (r.pointer.phones(), r.pointer.age)
        return self.decoder.target_rows(r.token, r.codes_G, phones, age)

    def _track(self, requests: list[Request]) -> torch.Tensor | None:
        """The recordings' codes of this step, (N, G); None where the model or no request has a use for them."""
        if not self.config.copies or all(r.track_D is None for r in requests):
            return None
        track_NG = np.full((len(requests), self.config.num_slots), NO_CODE, dtype=np.int64)
        for i, r in enumerate(requests):
            codes_TG = r.packed.track_codes_TG
            if codes_TG is not None and r.steps < len(codes_TG):
                track_NG[i] = codes_TG[r.steps]
        return torch.from_numpy(track_NG).to(self.decoder.device)

    def _guide_rows(self, entries: list[Entry]) -> np.ndarray:
        """Input of guided requests' second sequences: the frame before, and nothing of text and voice."""
        rows = []
        for entry in entries:
            r = self._requests[entry.id]
            if r.steps == 0:
                packed = r.packed if r.guide_hears or r.packed.track_codes_TG is None else self._speech
                x_ND = self.decoder.prompt_input(packed, 0, GUIDE_STEPS)
                self.decoder.change([r.changed])
                self.decoder.prefill(x_ND, np.arange(GUIDE_STEPS), entry.slot + self.slots, 0)
            rows.append(self.decoder.target_rows(r.token, r.codes_G, None, 0))
        return np.stack(rows)

    def _recent(self, requests: list[Request]) -> torch.Tensor:
        width = max(len(r.recent) for r in requests)
        recent_NW = np.full((len(requests), width), NO_CODE, dtype=np.int64)
        for i, r in enumerate(requests):
            recent_NW[i, : len(r.recent)] = r.recent
        return torch.from_numpy(recent_NW).to(self.decoder.device)

    def _emit(self, r: Request, codes_G: np.ndarray, advance: int) -> Emission:
        """Take in a step's codes, move the pointer, and say what is new."""
        g = self.config.frames_per_step
        at = -1 if r.pointer is None else r.pointer.at
        if len(r.recent):
            r.recent[r.steps % len(r.recent)] = codes_G[0]
        r.token, r.codes_G = PAD, codes_G
        r.steps += 1
        new = min(g, r.limit - r.frames)
        r.frames += new
        ended = r.pointer is not None and r.pointer.move(advance, g)
        emission = Emission(r.id, codes_G.reshape(g, -1)[:new], np.full(new, at, dtype=np.int32))
        if ended or r.frames >= r.limit:
            exact = r.packed.frames is not None and r.frames >= r.packed.frames
            return self._finish(r.id, emission, "stop" if ended or exact else "length")
        if r.stops_here():
            self.scheduler.hold(r.id)
            emission.waits = True
        return emission

    def _empty(self) -> Emission:
        return Emission(-1, np.zeros((0, self.config.num_codebooks), np.int16), np.zeros(0, np.int32))

    def _finish(self, id: int, emission: Emission, reason: Reason) -> Emission:
        emission.id, emission.finished, emission.reason = id, True, reason
        self.scheduler.remove(id)
        del self._requests[id]
        return emission

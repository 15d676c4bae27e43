"""One decoding step of a batch: global transformer -> pointer advance -> codes, with classifier-free guidance.

A guided sequence has an unconditional twin, which has seen neither text nor voice, in a slot of its own. Its prompt is
the task token, or, where it must not know the recording that the sequence follows, that of plain speech. The twins are
the rows behind those of the sequences.

Shape suffixes: N sequences, M guided ones, G codes of a step, D width, A advances, V code values, W window.
"""

import numpy as np
import torch
from torch import Tensor

from speechx.engine.guidance import BatchGuidance
from speechx.engine.model_runner import ModelRunner
from speechx.engine.sampling import BatchSampler
from speechx.engine.sequence import Sequence
from speechx.models.lm.prompt import NO_CODE, Prompt, pack, unconditional

TWIN_STEPS = 1
"""Steps of an unconditional prompt: the task token."""

PLAIN_SPEECH = 0
"""Task slot of the unconditional prompt of plain speech."""


class BatchDecoder:
    """Decodes one step of the sequences given. slots: those of sequences; a twin has the slot `slots` further on."""

    def __init__(self, runner: ModelRunner, slots: int) -> None:
        self.runner, self.config, self.slots = runner, runner.config, slots
        c = self.config
        self._plain = pack(unconditional(Prompt(PLAIN_SPEECH, ()), 1), c.num_codebooks)
        self._batch: tuple[int, ...] = ()
        self._samplers: tuple[BatchSampler, BatchGuidance] | None = None

    def step(self, sequences: list[Sequence], slots: list[int]) -> tuple[np.ndarray, list[int] | None]:
        """(codes (N, G) int16, phones to advance by (N); None where no sequence has a pointer)."""
        sampler, guidance = self._samplers_of(sequences)
        N, guided, deep = len(sequences), guidance.rows, guidance.deep
        h_ND = self._global_step(sequences, slots, guided)
        uniform = torch.from_numpy(np.stack([s.draws.row() for s in sequences])).to(h_ND.device)
        advance = None
        if any(s.pointer is not None for s in sequences):
            logits_NA = self.runner.advance_logits(h_ND[:N])
            advance = sampler.choose_advance(logits_NA, uniform[:, -1:]).tolist()

        track_NG = twin_track = self._track(sequences)
        if guided and track_NG is not None:
            follows_M1 = torch.tensor([[sequences[i].twin_follows] for i in guided], device=track_NG.device)
            twin_track = torch.where(follows_M1, guidance.of_guided(track_NG), NO_CODE)
        first_twin = None
        if guided and not deep:
            self.runner.select_adapters([sequences[i].adapter for i in guided])
            first_twin = self.runner.first_logits(h_ND[N:], twin_track)
            self.runner.select_adapters([s.adapter for s in sequences])

        def choose(slot: int, logits_NV: Tensor) -> Tensor:
            twin_MV = None if slot else first_twin
            if deep:
                logits_NV, twin_MV = logits_NV[:N], logits_NV[N:]
            if twin_MV is not None:
                logits_NV = guidance.push(logits_NV, twin_MV, first=slot == 0)
            if slot:
                codes_N = sampler.choose(logits_NV, uniform[:, slot : slot + 1], sampler.fine)
            else:
                recent = self._recent(sequences) if sampler.checks_repetition else logits_NV
                codes_N = sampler.choose_first(logits_NV, uniform[:, :1], uniform[:, -2:-1], recent)
            return torch.cat([codes_N, guidance.of_guided(codes_N)]) if deep else codes_N

        if deep and track_NG is not None and twin_track is not None:
            track_NG = torch.cat([track_NG, twin_track])
        codes_NG = self.runner.codes(h_ND if deep else h_ND[:N], choose, track_NG)[:N]
        return codes_NG.to(torch.int16).cpu().numpy(), advance

    def _global_step(self, sequences: list[Sequence], slots: list[int], guided: list[int]) -> Tensor:
        """One step of the global transformer for sequences and twins, (N + M, D)."""
        ids = np.stack([self._input_rows(s) for s in sequences])
        positions = [s.packed.target_position + s.steps for s in sequences]
        lengths = [len(s.packed) + s.steps for s in sequences]
        if guided:
            ids = np.concatenate([ids, [self._twin_rows(sequences[i], slots[i]) for i in guided]])
            positions += [TWIN_STEPS + sequences[i].steps for i in guided]
            lengths += [TWIN_STEPS + sequences[i].steps for i in guided]
            slots = slots + [slots[i] + self.slots for i in guided]
        x_ND = self.runner.sum_rows(ids)
        for i, s in enumerate(sequences):
            if s.steps == 0:
                self.runner.select_adapters([s.adapter])
                s.track_D = self.runner.track_input(s.packed, s.limit)
            if s.track_D is not None:
                x_ND[i] += s.track_D[s.steps]
                if i in guided and s.twin_follows:
                    x_ND[len(sequences) + guided.index(i)] += s.track_D[s.steps]
        self.runner.select_adapters([s.adapter for s in (*sequences, *(sequences[i] for i in guided))])
        return self.runner.step(x_ND, positions, slots, lengths)

    def _samplers_of(self, sequences: list[Sequence]) -> tuple[BatchSampler, BatchGuidance]:
        batch = tuple(s.id for s in sequences)
        if self._samplers is None or self._batch != batch:
            params, guided = [s.params for s in sequences], [i for i, s in enumerate(sequences) if s.guided]
            device = self.runner.device
            self._batch = batch
            self._samplers = BatchSampler(params, device), BatchGuidance(params, guided, device)
        return self._samplers

    def _input_rows(self, s: Sequence) -> np.ndarray:
        phones, age = (None, 0) if s.pointer is None else (s.pointer.phones(), s.pointer.age)
        return self.runner.target_rows(s.token, s.codes_G, phones, age)

    def _twin_rows(self, s: Sequence, slot: int) -> np.ndarray:
        """Input of a twin: the frame before. At the first step its prompt is prefilled."""
        if s.steps == 0:
            packed = s.packed if s.twin_follows or s.packed.track_codes_TG is None else self._plain
            x_ND = self.runner.prompt_input(packed, 0, TWIN_STEPS)
            self.runner.select_adapters([s.adapter])
            self.runner.prefill(x_ND, np.arange(TWIN_STEPS), slot + self.slots, 0)
        return self.runner.target_rows(s.token, s.codes_G, None, 0)

    def _track(self, sequences: list[Sequence]) -> Tensor | None:
        """The recordings' codes of this step, (N, G); None where the model or no sequence uses them."""
        if not self.config.copies or all(s.track_D is None for s in sequences):
            return None
        track_NG = np.full((len(sequences), self.config.num_codebooks), NO_CODE, dtype=np.int64)
        for i, s in enumerate(sequences):
            codes_TG = s.packed.track_codes_TG
            if codes_TG is not None and s.steps < len(codes_TG):
                track_NG[i] = codes_TG[s.steps]
        return torch.from_numpy(track_NG).to(self.runner.device)

    def _recent(self, sequences: list[Sequence]) -> Tensor:
        """The last first codes of each sequence, (N, W)."""
        width = max(len(s.recent) for s in sequences)
        recent_NW = np.full((len(sequences), width), NO_CODE, dtype=np.int64)
        for i, s in enumerate(sequences):
            recent_NW[i, : len(s.recent)] = s.recent
        return torch.from_numpy(recent_NW).to(self.runner.device)

"""The Task base class: request, prompt, plan, sampling parameters, training examples.

A task is one class in one module of the same name. See tasks/README.md for how to add one.
Shapes: T samples, F codec frames, K codebooks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeAlias, TypeVar

import numpy as np

from speechx.models.lm.prompt import Prompt
from speechx.task.examples import CodedUtterance, CodePool, Example, TrainingPair, Utterance, UtterancePool
from speechx.task.fields import TaskRequest
from speechx.task.plan import GeneratedPart, MaskTarget, Plan

if TYPE_CHECKING:
    from speechx.engine.sampling import SamplingParams
    from speechx.task.frontend import Frontend

__all__ = ["AnyTask", "Task", "TaskRequest", "frame_limit"]


R = TypeVar("R", bound=TaskRequest)


class Task(ABC, Generic[R]):
    """One ability. name: the module's name. slot: the task id in the vocabulary, frozen once weights exist."""

    name: ClassVar[str]
    slot: ClassVar[int]
    summary: ClassVar[str]
    Request: ClassVar[type[TaskRequest]]
    # Of SamplingParams; a request's temperature and top_p replace those of the first codebook. Chosen on the dev split.
    sampling: ClassVar[Mapping[str, Any]] = {
        "temperature": 0.6,
        "top_p": 0.9,
        "fine_temperature": 0.2,
        "fine_top_p": 0.7,
        "advance_temperature": 0.3,
        "guidance": 2.5,
        "fine_guidance": 3.0,
    }
    # The longest phone, and the longest that spoken phones take on average, in seconds; None: the model's own limit.
    max_phone_seconds: ClassVar[float | None] = 0.48
    max_pace_seconds: ClassVar[float | None] = None
    # Candidates at each phrase where a request does not set `best_of`.
    best_of: ClassVar[int] = 1
    # The source of training pairs: `example`, `pair_from_codes` (nothing has to be mixed), or whichever is asked for.
    pairs_of: ClassVar[Literal["sound", "codes", "either"]] = "sound"

    # What the output keeps of the input recording, where it is a mask on it (speechx.pipeline.masking).
    mask_target: ClassVar[MaskTarget | None] = None

    # What a live socket of it takes: text that is said sentence by sentence, or sound that is masked as it arrives.
    live: ClassVar[Literal["text", "sound"] | None] = None

    @abstractmethod
    def prompt(self, req: R, frontend: Frontend) -> Prompt:
        """The prompt of a request that fits one prompt. Used for inference and for training."""

    def plan(self, req: R, frontend: Frontend) -> Plan:
        """The parts of the output, by default one generated part. Raises InputError for an impossible request."""
        return Plan((GeneratedPart(self.prompt(req, frontend)),), frontend.sample_rate)

    def params(self, req: R, prompt: Prompt, frame_rate: float) -> SamplingParams:
        """Sampling parameters of one prompt for a codec of so many frames per second.

        The pipeline sets the seed of each part and try.
        """
        from speechx.engine.sampling import SamplingParams

        limits: dict[str, Any] = {"seed": req.seed or 0, "max_frames": frame_limit(prompt, frame_rate)}
        if self.max_phone_seconds is not None:
            limits["max_phone_frames"] = max(1, round(self.max_phone_seconds * frame_rate))
        if self.max_pace_seconds is not None:
            limits["max_pace"] = max(1.0, self.max_pace_seconds * frame_rate)
            limits["pace_slack"] = round(PACE_SLACK_SECONDS * frame_rate)
        if req.temperature == 0:
            names = ("guidance", "fine_guidance", "guidance_knows")
            kept = {name: self.sampling[name] for name in names if name in self.sampling}
            return SamplingParams(greedy=True, **kept, **limits)
        given = {"temperature": req.temperature, "top_p": req.top_p}
        asked = {name: value for name, value in given.items() if value is not None}
        settings: dict[str, Any] = {**self.sampling, **asked}
        window = max(1, round(REPETITION_SECONDS * frame_rate))
        return SamplingParams(**settings, repetition_window=window, **limits)

    @abstractmethod
    def example(self, cut: Utterance, pool: UtterancePool, rng: np.random.Generator) -> Example | None:
        """A training example and test row from clean speech; None where the corpus lacks what it needs."""

    def pair(self, example: Example, frontend: Frontend) -> TrainingPair:
        """The prompt that inference uses for the example's request, and its target codes."""
        prompt = self.prompt(example.request, frontend)
        target_FK = frontend.encode(example.target_T)
        if prompt.track is None:
            return TrainingPair(prompt, target_FK, None)
        assert example.text is not None, "a track needs the text of the example"
        speech = frontend.phones(example.text, example.language)
        # The phones are where the speech is, also where the target is what remains without it.
        pointer_F = frontend.align(self.alignment_codes(example, frontend, target_FK), speech).pointer_F[
            : len(target_FK)
        ]
        return TrainingPair(prompt, target_FK, pointer_F)

    def pair_from_codes(
        self, cut: CodedUtterance, pool: CodePool, rng: np.random.Generator
    ) -> TrainingPair | None:
        """A pair from encoded clean speech; None where the corpus lacks what it needs."""
        raise NotImplementedError(f"{self.name} makes its pairs from audio")

    def alignment_codes(self, example: Example, frontend: Frontend, target_FK: np.ndarray) -> np.ndarray:
        """Codes (F, K) of the speech to align the text with: without background, at the standard level."""
        if "speech" not in example.references:
            return target_FK
        wav_T = example.references["speech"]
        return frontend.encode_recording(wav_T)[0]


AnyTask: TypeAlias = Task[Any]
"""A task whose request class is not known statically."""


REPETITION_SECONDS = 0.4
"""In which a first code may not be repeated too often."""

PACE_SLACK_SECONDS = 0.48
"""That spoken phones may take beyond the pace: one may be drawn out, not each."""


def frame_limit(prompt: Prompt, frame_rate: float) -> int:
    """Most frames of a target: the exact length where known, else 2 s and 0.32 s per phone (slow speech has 0.15 s)."""
    if prompt.frames is not None:
        return prompt.frames
    assert prompt.track is not None
    return round((2 + 0.32 * (prompt.track.stop - prompt.track.start)) * frame_rate)

"""A job in progress: prompts of its plan's parts go to the engine, frames come back, audio goes out in order.

Shapes: T samples, F codec frames, K codebooks.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from speechx.audio.pauses import PauseShortener
from speechx.errors import InputError
from speechx.pipeline.background import Background, at_once
from speechx.pipeline.candidates import ActivePart, Candidate, phrase_ends
from speechx.pipeline.job import Chunk, Info, Job
from speechx.pipeline.renderer import Renderer
from speechx.task.plan import GeneratedPart, Part, Plan, ReadyPart
from speechx.text import Word
from speechx.text.types import WordTime

if TYPE_CHECKING:
    from speechx.engine.sampling import SamplingParams
    from speechx.task.frontend import Frontend
    from speechx.task.task import AnyTask

__all__ = ["RunningJob"]

FIRST_SECONDS, NEXT_SECONDS = 0.16, 0.4
"""Per streamed chunk: 160 ms twice, then as much as was sent so far, up to 400 ms. A longer second chunk would let
a player that starts with the first one run dry."""


@dataclass
class _Rendering:
    """Sound that is being decoded. active: its part; None at the end of the job. finished: nothing of the part is left."""

    sound: Future[np.ndarray]
    active: ActivePart | None = None
    pointer_F: np.ndarray | None = None
    finished: bool = False


VOICE_NATS = 10.0
"""What the cosine to the voice weighs: 0.3 less of it as much as a phone error (speechx.models.aligner.ERROR_NATS)."""


class RunningJob:
    """A job in progress. `outbox` holds chunks not taken yet; a failure sets `error` instead of a final chunk.

    It never touches the engine: `JobRunner` takes `next_candidates()` from it and appends frames to them.
    """

    def __init__(
        self,
        job: Job,
        task: AnyTask,
        plan: Plan,
        frontend: Frontend,
        seed: int,
        started: float | None = None,
    ) -> None:
        self.job, self.task, self.plan, self.frontend = job, task, plan, frontend
        self.outbox: deque[Chunk] = deque()
        self.done = False
        self.error: Exception | None = None
        self.seed, self.streams = seed, job.request.stream
        self._parts: Iterator[Part] = iter(plan.parts)
        self._exhausted = False
        self._active: deque[ActivePart] = deque()
        self._renderer = Renderer(plan, frontend)
        longest = plan.longest_pause
        self._pauses = None if longest is None else PauseShortener(plan.sample_rate, longest)
        # Candidates are chosen by the aligner or averaged as masks: with neither, one is as good as several.
        self._voice_D = None if plan.voice_T is None else frontend.speaker_embedding(plan.voice_T)
        chooses = frontend.aligner is not None or self._voice_D is not None
        several = chooses if plan.recording is None else self._renderer.masked
        self.best_of: int = job.request.best_of or (task.best_of if several else 1)
        if self._renderer.masked:
            self._renderer = Renderer(plan, frontend, self.best_of)
        self._words: list[WordTime] = []
        self._settled_words = 0  # of finished parts
        self._num_samples, self._num_generated = 0, 0
        self._rendering: _Rendering | None = None
        self._started = time.monotonic() if started is None else started
        self._info: Info = {"task": job.task, "seed": seed, **plan.notes}

    @property
    def has_begun(self) -> bool:
        """Whether its listener has been given sound."""
        return self._num_samples > 0

    # To the engine

    def next_candidates(self, ahead: int, slots: int) -> Iterator[tuple[Candidate, SamplingParams]]:
        """Candidates to add now, so that about `ahead` are in the engine, and those of one part at least.

        Raises InputError for an impossible part, and where best_of exceeds the engine's `slots`: candidates of a part wait
        for each other, so all of them need a slot.
        """
        if self.best_of > slots:
            raise InputError(
                f"best_of is {self.best_of}, and the engine decodes {slots} at once: ask for fewer, or give it more slots",
                field="best_of",
            )
        parts_ahead = max(1, ahead // self.best_of)
        while not self._exhausted and self._num_active() < parts_ahead:
            part = next(self._parts, None)
            if part is None:
                self._exhausted = True
                break
            active = ActivePart(part)
            self._active.append(active)
            if isinstance(part, GeneratedPart):
                yield from self._candidates_of(active, part)
                self._num_generated += 1

    def _num_active(self) -> int:
        return sum(isinstance(active.part, GeneratedPart) for active in self._active)

    def _candidates_of(
        self, active: ActivePart, part: GeneratedPart
    ) -> Iterator[tuple[Candidate, SamplingParams]]:
        if self.best_of > 1 and self.frontend.aligner is not None:
            active.stops = phrase_ends(part)
        for index in range(self.best_of):
            active.candidates.append(Candidate(active))
            params = self.task.params(self.job.request, part.prompt, self.frontend.frame_rate)
            seed = (self.seed + 7919 * self._num_generated + 104_729 * index) % 2**31
            yield active.candidates[-1], replace(params, seed=seed, deadline=self.job.deadline)

    def finish(self, candidate: Candidate, reason: str | None) -> None:
        """The engine has ended a candidate's sequence."""
        candidate.reason = reason or "stop"
        if reason == "deadline":
            self.fail(TimeoutError(f"job {self.job.id} was not done by its deadline"))

    def choose(self, background: Background = at_once) -> Iterator[tuple[Candidate, list[Candidate]]]:
        """For each part whose candidates all wait: the best one, and those that were reset to it.

        background: where the others are scored meanwhile.
        """
        for active in self._active:
            waiting = active.waiting()
            if not waiting and len(active.candidates) > 1 and not self._renderer.masked:
                last = len(active.choices) == len(active.stops)
                for candidate in active.candidates:
                    if candidate.waiting or (last and candidate.reason is not None):
                        self._score(active, candidate, background)
            if waiting:
                best = self._best(active, waiting, background)
                others = [c for c in waiting if c is not best]
                for candidate in waiting:
                    candidate.waiting = False
                for other in others:
                    other.reset_to(best)
                active.choices.append(best.num_frames)
                yield best, others

    def add_info(self, **facts: object) -> None:
        """Adds to the info of every chunk."""
        self._info |= facts

    def fail(self, error: Exception) -> None:
        """Ends the job without a final chunk."""
        if self.done:
            return
        self.done, self.error = True, error
        if self._rendering is not None:
            self._rendering.sound.cancel()
        for score in (c.score for active in self._active for c in active.candidates):
            if score is not None:
                score[1].cancel()

    # To the listener

    def advance(self, background: Background = at_once, wait: bool = True) -> None:
        """Turns the frames that have come into chunks.

        background: where sound is decoded, one piece of a job at a time. wait: whether to wait for it; else a later call
        takes it.
        """
        while not self.done:
            self._rendering = self._rendering or self._next_rendering(background)
            if self._rendering is None or not (wait or self._rendering.sound.done()):
                return
            rendering, self._rendering = self._rendering, None
            self._take(rendering, rendering.sound.result())

    def _next_rendering(self, background: Background) -> _Rendering | None:
        """What can be decoded now, if there is something."""
        if not self._active:
            return _Rendering(background(self._renderer.close)) if self._exhausted else None
        active, part = self._active[0], self._active[0].part
        if not active.started:
            active.started = True
            return _Rendering(background(partial(self._renderer.begin, part)), active)
        if isinstance(part, ReadyPart):
            return _Rendering(background(partial(self._renderer.ready, part)), active, finished=True)
        finished = active.finished
        streamable = self._renderer.streams(part)
        if not (finished or (self.streams and streamable)):
            return None
        rendered, count = self._rendered(active, background)
        if finished and rendered[0].reason == "length" and part.prompt.frames is None:
            self._info["truncated"] = True
        frames = slice(*part.keep) if part.keep else slice(None)
        codes = [c.codes_FK()[:count][frames] for c in rendered]
        first, most = (max(1, round(s * self.frontend.frame_rate)) for s in (FIRST_SECONDS, NEXT_SECONDS))
        if not finished and len(codes[0]) - active.decoded < min(most, max(first, active.decoded)):
            return None
        if streamable:
            sound = background(partial(self._renderer.frames, part, [c[active.decoded :] for c in codes]))
        else:
            sound = background(partial(self._renderer.enclosed, part, codes))
        active.decoded = len(codes[0])
        return _Rendering(sound, active, rendered[0].pointer_F()[:count][frames], finished)

    def _take(self, rendering: _Rendering, wav_T: np.ndarray) -> None:
        active = rendering.active
        if active is None:
            self._close(wav_T)
            return
        if isinstance(active.part, ReadyPart) and rendering.finished:
            at = self._renderer.position / self.plan.sample_rate
            self._words += [w.shifted(at) for w in active.part.words]
        elif isinstance(active.part, GeneratedPart) and rendering.pointer_F is not None:
            self._update_words(active.part, rendering.pointer_F, rendering.finished)
        self._emit(wav_T if self._pauses is None else self._pauses.push(wav_T))
        if rendering.finished:
            self._active.popleft()
            self._settled_words = len(self._words)

    def _rendered(self, active: ActivePart, background: Background) -> tuple[list[Candidate], int]:
        """The candidates in the output (one, or all where they are masks), and how many of their frames are final."""
        if self._renderer.num_candidates > 1:
            return active.candidates, min(c.num_frames for c in active.candidates)
        chosen, count = active.settled()
        if active.finished:
            several = len(active.candidates) > 1
            chosen = self._best(active, active.complete(), background) if several else chosen
            count = chosen.num_frames
        return [chosen], count

    def _best(
        self, active: ActivePart, candidates: list[Candidate], background: Background = at_once
    ) -> Candidate:
        """The candidate that the aligner, and the voice check if there is one, score best."""
        scores = [
            self._score(active, candidate, background if candidate is not candidates[-1] else at_once)
            for candidate in candidates
        ]
        return candidates[int(np.argmax([score.result() for score in scores]))]

    def _score(self, active: ActivePart, candidate: Candidate, background: Background) -> Future[float]:
        """How well a candidate that waits or has ended says the text so far, and in the voice. Computed once a phrase."""
        part, phrase = active.part, len(active.choices)
        assert isinstance(part, GeneratedPart)
        if candidate.score is None or candidate.score[0] != phrase:
            start, ids_N = active.scored_phones()
            judge = partial(self._judge, part.prompt.language, candidate.codes_FK(), ids_N, start)
            candidate.score = phrase, background(judge)
        return candidate.score[1]

    def _judge(
        self, language: str | None, codes_FK: np.ndarray, ids_N: np.ndarray | None, start: int
    ) -> float:
        """How well frames from `start` on say phones, where they are known, and how near all are to the voice."""
        if not len(codes_FK):
            return -np.inf
        fits = 0.0
        if ids_N is not None and self.frontend.aligner is not None:
            fits = self.frontend.fit(codes_FK, ids_N, language, start)
        return fits + self._voice_score(codes_FK)

    def _voice_score(self, codes_FK: np.ndarray) -> float:
        """VOICE_NATS times the cosine of the candidate so far and the voice; 0 where nobody compares them."""
        if self._voice_D is None:
            return 0.0
        heard_D = self.frontend.speaker_embedding(self.frontend.decode(codes_FK))
        return 0.0 if heard_D is None else VOICE_NATS * float(heard_D @ self._voice_D)

    def _update_words(self, part: GeneratedPart, pointer_F: np.ndarray, finished: bool) -> None:
        """Adds the words of this part that the pointer has passed, at their place in the output."""
        if not part.words:
            return
        at = self._renderer.position / self.plan.sample_rate
        timed = word_times(part.words, pointer_F, self.frontend.frame_rate, finished)
        del self._words[self._settled_words :]
        for index, word in enumerate(w.shifted(at) for w in timed):
            last = self._words[-1] if self._words else None
            # A window may begin within a word that the one before has begun.
            if index == 0 and part.joined and last and last.text == word.text and word.start - last.end < 0.1:
                self._words[-1] = WordTime(word.text, last.start, word.end)
            else:
                self._words.append(word)

    def _emit(self, wav_T: np.ndarray, final: bool = False) -> None:
        limit = self.plan.samples
        if limit is not None:
            wav_T = wav_T[: limit - self._num_samples]
            if final and self._num_samples + len(wav_T) < limit:
                wav_T = np.pad(wav_T, (0, limit - self._num_samples - len(wav_T)))
        if len(wav_T) and self._num_samples == 0:
            self._info["first_audio_seconds"] = round(time.monotonic() - self._started, 4)
        self._num_samples += len(wav_T)
        if len(wav_T) or final:
            wav_T = np.clip(wav_T, -1.0, 1.0).astype(np.float32, copy=False)
            self.outbox.append(
                Chunk(wav_T, self.plan.sample_rate, self._placed_words(final), final, dict(self._info))
            )

    def _placed_words(self, final: bool) -> tuple[WordTime, ...]:
        """The words where they are in the output. Where pauses are shortened, those whose sound has been through that: the
        pointer stays at the last phone of a sentence during the pause behind it, and the sound tells where that begins."""
        pauses = self._pauses
        if pauses is None:
            return tuple(self._words)
        placed = [word for word in self._words if final or word.end <= pauses.taken]
        return tuple(WordTime(word.text, *pauses.placed(word.start, word.end)) for word in placed)

    def _close(self, rest_T: np.ndarray) -> None:
        if self._pauses is not None:
            rest_T = np.concatenate([self._pauses.push(rest_T), self._pauses.close()])
        seconds = time.monotonic() - self._started
        audio_seconds = (self.plan.samples or self._num_samples + len(rest_T)) / self.plan.sample_rate
        self._info |= {"audio_seconds": round(audio_seconds, 3), "seconds": round(seconds, 4)}
        self._info["rtf"] = round(seconds / audio_seconds, 4) if audio_seconds else None
        self._emit(rest_T, final=True)
        self.done = True


def word_times(
    words: tuple[Word, ...], pointer_F: np.ndarray, frame_rate: float, finished: bool
) -> list[WordTime]:
    """Times of the words that the pointer (F,) has passed; of all that were begun once the part is finished."""
    found = []
    for word in words:
        first, last = np.searchsorted(pointer_F, [word.start, word.stop], side="left")
        if last > first and (finished or last < len(pointer_F)):
            found.append(WordTime(word.text, float(first / frame_rate), float(last / frame_rate)))
    return found

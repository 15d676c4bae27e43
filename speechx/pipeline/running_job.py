"""One job on its way: its plan's parts go to the engine, frames come back, audio goes out in order.

A run touches no engine: the runner (speechx/pipeline/pipeline.py) takes `wanted()` prompts from it and feeds it frames.
Shapes: T samples, F codec frames, K codebooks.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from speechx.audio.joining import NOTHING
from speechx.errors import InputError
from speechx.pipeline.candidates import ActivePart, Candidate, phrase_ends
from speechx.pipeline.job import Chunk, Job
from speechx.pipeline.renderer import Renderer
from speechx.task.plan import Generated, Part, Plan, Ready
from speechx.text import Word
from speechx.text.types import WordTime

if TYPE_CHECKING:
    from speechx.engine.sampling import SamplingParams
    from speechx.task.frontend import Frontend
    from speechx.task.registry import TaskProtocol

__all__ = ["Rank", "RunningJob", "Candidate"]

Rank = Callable[[Generated, np.ndarray], float]
"""(part, codes (F, K)) -> a number, higher is better: chooses among several tries."""

FIRST_FRAMES, NEXT_FRAMES = 4, 10
"""Frames decoded at once when streaming: 160 ms twice, then as much as there has been, up to 400 ms. A player that starts
with the first chunk would run dry if the second were long."""


class RunningJob:
    """See the module's docstring. outbox holds the chunks nobody has taken; error is set instead of a final chunk."""

    def __init__(
        self, job: Job, task: TaskProtocol, plan: Plan, frontend: Frontend, seed: int, rank: Rank | None = None,
        started: float | None = None,
    ) -> None:  # fmt: skip
        self.job, self.task, self.plan, self.frontend, self.rank = job, task, plan, frontend, rank
        self.request: Any = job.request
        self.outbox: deque[Chunk] = deque()
        self.done = False
        self.error: Exception | None = None
        self.seed, self.streams = seed, bool(getattr(job.request, "stream", False))
        self._parts: Iterator[Part] = iter(plan.parts)
        self._exhausted = False
        self._active: deque[ActivePart] = deque()
        self._renderer = Renderer(plan, frontend)
        # Without a mask, or an aligner, several tries are worth no more than one.
        useful = frontend.aligner is not None if plan.over is None else self._renderer.masked
        self.tries: int = getattr(job.request, "best_of", None) or (task.tries if useful else 1)
        if self._renderer.masked:
            self._renderer = Renderer(plan, frontend, self.tries)
        self._words: list[WordTime] = []
        self._settled = 0  # words of finished parts
        self._samples, self._made = 0, 0
        self._started = time.monotonic() if started is None else started
        self._info: dict[str, Any] = {"task": job.task, "seed": seed, **plan.notes}

    # To the engine

    def wanted(self, ahead: int, most: int) -> Iterator[tuple[Candidate, SamplingParams]]:
        """Tries to add now, so that about `ahead` are in the engine, of one part at least; `most`: what it decodes at once.

        Raises InputError for an impossible part, and where there are more tries than the engine decodes at once: they wait
        for each other.
        """
        tries = self.tries
        if tries > most:
            raise InputError(
                f"best_of is {tries}, and the engine decodes {most} at once: ask for fewer, or give it more slots",
                field="best_of",
            )
        ahead = max(1, ahead // tries)
        while not self._exhausted and sum(isinstance(b.part, Generated) for b in self._active) < ahead:
            part = next(self._parts, None)
            if part is None:
                self._exhausted = True
                break
            busy = ActivePart(part)
            self._active.append(busy)
            if isinstance(part, Generated):
                if tries > 1 and self.frontend.aligner is not None:
                    busy.stops = phrase_ends(part)
                for index in range(tries):
                    busy.tries.append(Candidate(self, busy))
                    params = self.task.params(self.request, part.prompt)
                    seed = (self.seed + 7919 * self._made + 104_729 * index) % 2**31
                    yield busy.tries[-1], replace(params, seed=seed, deadline=self.job.deadline)
                self._made += 1

    def finish_try(self, attempt: Candidate, reason: str | None) -> None:
        """The engine has ended a try."""
        attempt.reason = reason or "stop"
        if reason == "deadline":
            self.fail(TimeoutError(f"job {self.job.id} was not done by its deadline"))
        elif reason == "abort":
            self.fail(InterruptedError(f"job {self.job.id} was aborted"))

    def choices(self) -> Iterator[tuple[Candidate, list[Candidate]]]:
        """Where all tries at a part wait: the best one, and those that are to go on from where it is."""
        for busy in self._active:
            if waiting := busy.due():
                best = self._best(busy, waiting)
                others = [t for t in waiting if t is not best]
                for attempt in waiting:
                    attempt.waits = False
                for other in others:
                    other.become(best)
                busy.chosen.append(len(best.codes_FK()))
                yield best, others

    def note(self, **facts: Any) -> None:
        """Adds to the info of every chunk."""
        self._info |= facts

    def fail(self, error: Exception) -> None:
        """Ends the run without a final chunk."""
        if not self.done:
            self.done, self.error = True, error

    # To the listener

    def advance(self) -> None:
        """Turns what the engine has given into chunks."""
        while self._active and not self.done:
            busy = self._active[0]
            finished, wav_T = self._sound(busy)
            self._give(wav_T)
            if not finished:
                return
            self._active.popleft()
            self._settled = len(self._words)
        if self._exhausted and not self.done:
            self._close()

    def _sound(self, busy: ActivePart) -> tuple[bool, np.ndarray]:
        """(whether the part is through, the output samples that are final now)."""
        part, begun_T = busy.part, NOTHING
        if not busy.begun:
            busy.begun, begun_T = True, self._renderer.begin(part)
        if isinstance(part, Ready):
            at = self._renderer.position / self.plan.sample_rate
            self._words += [w.shifted(at) for w in part.words]
            return True, np.concatenate([begun_T, self._renderer.ready(part)])
        over = busy.over
        if not (over or (self.streams and self._renderer.streams(part))):
            return False, begun_T
        heard, count = self._heard(busy)
        if over and heard[0].reason == "length" and part.prompt.frames is None:
            self._info["truncated"] = True
        frames = slice(*part.keep) if part.keep else slice(None)
        codes = [t.codes_FK()[:count][frames] for t in heard]
        codes_FK, pointer_F = codes[0], heard[0].pointer_F()[:count][frames]
        enough = min(NEXT_FRAMES, max(FIRST_FRAMES, busy.decoded))
        if not over and len(codes_FK) - busy.decoded < enough:
            return False, begun_T
        if self._renderer.streams(part):
            wav_T = self._renderer.frames(part, [c[busy.decoded :] for c in codes])
        else:
            wav_T = self._renderer.enclosed(part, codes)
        busy.decoded = len(codes_FK)
        self._note_words(part, pointer_F, over)
        return over, np.concatenate([begun_T, wav_T])

    def _heard(self, busy: ActivePart) -> tuple[list[Candidate], int]:
        """The tries that are heard, one or, where they are masks, all; and how many of their frames are final."""
        if self._renderer.tries > 1:
            return busy.tries, min(sum(map(len, t.codes)) for t in busy.tries)
        chosen, count = busy.settled()
        if busy.over:
            chosen = self._best(busy, busy.finished()) if len(busy.tries) > 1 else chosen
            count = len(chosen.codes_FK())
        return [chosen], count

    def _best(self, busy: ActivePart, tries: list[Candidate]) -> Candidate:
        """The try that says the phones best; a hook may add its own measure (speaker likeness)."""
        part = busy.part
        assert isinstance(part, Generated)
        start, ids_N = busy.compared()

        def score(attempt: Candidate) -> float:
            codes_FK = attempt.codes_FK()
            if not len(codes_FK):
                return -np.inf
            points = self.rank(part, codes_FK) if self.rank else 0.0
            if ids_N is not None and self.frontend.aligner is not None:
                points += self.frontend.fit(codes_FK, ids_N, part.prompt.language, start)
            return points

        return max(tries, key=score)

    def _note_words(self, part: Generated, pointer_F: np.ndarray, over: bool) -> None:
        """Words of this part that the pointer is past, at their place in the output."""
        if not part.words:
            return
        at = self._renderer.position / self.plan.sample_rate
        timed = word_times(part.words, pointer_F, self.frontend.frame_rate, over)
        del self._words[self._settled :]
        for index, word in enumerate(w.shifted(at) for w in timed):
            last = self._words[-1] if self._words else None
            # A window may begin within a word that the one before has begun.
            if index == 0 and part.joined and last and last.text == word.text and word.start - last.end < 0.1:
                self._words[-1] = WordTime(word.text, last.start, word.end)
            else:
                self._words.append(word)

    def _give(self, wav_T: np.ndarray, final: bool = False) -> None:
        limit = self.plan.samples
        if limit is not None:
            wav_T = wav_T[: limit - self._samples]
            if final and self._samples + len(wav_T) < limit:
                wav_T = np.pad(wav_T, (0, limit - self._samples - len(wav_T)))
        if len(wav_T) and self._samples == 0:
            self._info["first_audio_seconds"] = round(time.monotonic() - self._started, 4)
        self._samples += len(wav_T)
        if len(wav_T) or final:
            wav_T = np.clip(wav_T, -1.0, 1.0).astype(np.float32, copy=False)
            self.outbox.append(
                Chunk(wav_T, self.plan.sample_rate, tuple(self._words), final, dict(self._info))
            )

    def _close(self) -> None:
        rest_T = self._renderer.close()
        seconds = time.monotonic() - self._started
        spoken = (self.plan.samples or self._samples + len(rest_T)) / self.plan.sample_rate
        self._info |= {"audio_seconds": round(spoken, 3), "seconds": round(seconds, 4)}
        self._info["rtf"] = round(seconds / spoken, 4) if spoken else None
        self._give(rest_T, final=True)
        self.done = True


def word_times(
    words: tuple[Word, ...], pointer_F: np.ndarray, frame_rate: float, over: bool
) -> list[WordTime]:
    """When each word is spoken, of those the pointer (F,) has left behind (all that were begun, once it is over)."""
    found = []
    for word in words:
        first, last = np.searchsorted(pointer_F, [word.start, word.stop], side="left")
        if last > first and (over or last < len(pointer_F)):
            found.append(WordTime(word.text, float(first / frame_rate), float(last / frame_rate)))
    return found

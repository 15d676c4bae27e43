"""A plan's parts become one stream of samples: decoded, scaled, resampled, joined.

Shapes: T samples, F codec frames, K codebooks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from speechx.audio import reading
from speechx.audio.joining import NOTHING, Joiner
from speechx.pipeline.masking import Mask, recording_mask
from speechx.task.plan import GeneratedPart, Part, Plan, ReadyPart

if TYPE_CHECKING:
    from speechx.task.code_streams import WaveStream
    from speechx.task.frontend import Frontend

__all__ = ["Renderer"]


class Renderer:
    """For each part in order: `begin`, then its audio (`ready`, `frames` or `enclosed`); at the end `close`.

    Each returns the samples that are final now. `position` is where in the output the part's own content starts.

    Of several candidates the mean is rendered: each masks the same recording, and their mistakes differ. Raises ValueError
    for several candidates without a mask: independent waveforms have no mean. Where `strength` of the plan is below 1, the
    output is mixed with the input.
    """

    def __init__(self, plan: Plan, frontend: Frontend, num_candidates: int = 1) -> None:
        self._plan, self._frontend, self.num_candidates = plan, frontend, num_candidates
        self._lines = [
            (Joiner(plan.fade), recording_mask(plan.recording, frontend)) for _ in range(num_candidates)
        ]
        if num_candidates > 1 and not self.masked:
            raise ValueError("only masks of a recording can be averaged")
        self._stream: WaveStream | None = None
        self._stream_at = self._frames_in = 0
        self._gain = np.float32(1)
        self._given = 0  # samples of the output
        self.position = 0

    @property
    def masked(self) -> bool:
        """Whether generated audio is a mask on a recording."""
        return self._lines[0][1] is not None

    def streams(self, part: GeneratedPart) -> bool:
        """Whether its frames can be decoded as they come; a part with context, or at another rate, is decoded whole."""
        return (
            part.before_FK is None
            and part.after_FK is None
            and self._plan.sample_rate == self._frontend.sample_rate
        )

    def begin(self, part: Part) -> np.ndarray:
        """Samples that were still in the decoder, unless the part goes on in the same stream."""
        if isinstance(part, GeneratedPart) and part.joined and self._stream is not None:
            self.position = self._stream_at + self._frames_in * self._frontend.hop
            return NOTHING
        rest_T = self._flush()
        self.position, *_ = [joiner.begin() for joiner, _ in self._lines]  # one place for all
        if isinstance(part, GeneratedPart) and part.before_FK is not None:
            self.position += self._plan.fade
        if isinstance(part, GeneratedPart) and self.streams(part):
            self._stream, self._stream_at, self._frames_in = (
                self._frontend.stream(self.num_candidates),
                self.position,
                0,
            )
        return rest_T

    def ready(self, part: ReadyPart) -> np.ndarray:
        """Finished audio."""
        return self._out([part.wav_T] * self.num_candidates)

    def frames(self, part: GeneratedPart, codes: Sequence[np.ndarray]) -> np.ndarray:
        """The next frames (F, K) of each candidate of a part that streams, as many of each."""
        assert self._stream is not None
        self._gain = np.float32(part.gain)
        if not len(codes[0]):
            return NOTHING
        self._frames_in += len(codes[0])
        return self._out(self._stream.push(np.stack(codes)) * self._gain)

    def enclosed(self, part: GeneratedPart, codes: Sequence[np.ndarray]) -> np.ndarray:
        """All frames of each candidate of a part, decoded between its neighbours, plus a cross-fade's length of those."""
        return self._out([self._enclosed(part, codes_FK) for codes_FK in codes])

    def _enclosed(self, part: GeneratedPart, codes_FK: np.ndarray) -> np.ndarray:
        around = [c for c in (part.before_FK, codes_FK, part.after_FK) if c is not None and len(c)]
        if not around:
            return NOTHING
        own_rate, rate, fade = self._frontend.sample_rate, self._plan.sample_rate, self._plan.fade
        wav_T = self._frontend.decode(np.concatenate(around)) * np.float32(part.gain)
        wav_T = reading.resample(wav_T, own_rate, rate)
        samples_per_frame = self._frontend.hop * rate / own_rate
        start = 0 if part.before_FK is None else round(len(part.before_FK) * samples_per_frame) - fade
        stop = (
            len(wav_T)
            if part.after_FK is None
            else len(wav_T) - round(len(part.after_FK) * samples_per_frame) + fade
        )
        wav_T = wav_T[start:stop]
        return wav_T if part.floor is None else part.floor.fill(wav_T, np.random.default_rng(0))

    def close(self) -> np.ndarray:
        """The remaining samples."""
        flushed_T = self._flush()
        joined_T = _mean([_masked(mask, joiner.close()) for joiner, mask in self._lines])
        last_T = _mean([NOTHING if mask is None else mask.close() for _, mask in self._lines])
        return np.concatenate([flushed_T, self._mixed(np.concatenate([joined_T, last_T]))])

    def _out(self, waves: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
        """The next samples (T,) of each candidate -> the samples that are final now."""
        lines = zip(self._lines, waves, strict=True)
        return self._mixed(_mean([_masked(mask, joiner.push(wav_T)) for (joiner, mask), wav_T in lines]))

    def _mixed(self, out_T: np.ndarray) -> np.ndarray:
        """The next samples of the output, with as much of the input as the plan leaves in."""
        start = self._given
        self._given += len(out_T)
        if self._plan.input_T is None or self._plan.strength == 1:
            return out_T
        left_T = np.zeros_like(out_T)  # the last frame of the codec may go on after the input
        part_T = self._plan.input_T[start : self._given]
        left_T[: len(part_T)] = part_T
        strength = np.float32(self._plan.strength)
        return np.asarray(strength * out_T + (1 - strength) * left_T)

    def _flush(self) -> np.ndarray:
        if self._stream is None:
            return NOTHING
        wav_T = self._out(self._stream.flush() * self._gain)
        self._stream = None
        return wav_T


def _masked(mask: Mask | None, wav_T: np.ndarray) -> np.ndarray:
    return wav_T if mask is None else mask.push(wav_T)


def _mean(waves: list[np.ndarray]) -> np.ndarray:
    return waves[0] if len(waves) == 1 else np.asarray(np.mean(waves, axis=0, dtype=np.float32))

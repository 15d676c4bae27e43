"""A plan's parts become one stream of samples: decoded, scaled, resampled, joined.

Shapes: T samples, F codec frames, K codebooks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from speechx import audio
from speechx.joining import NOTHING, Joiner
from speechx.masking import mask_over
from speechx.plan import Generated, Part, Plan, Ready

if TYPE_CHECKING:
    from speechx.front import Front, WaveStream

__all__ = ["Assembly", "Mean"]


class Assembly:
    """For each part in order: `begin`, then its audio (`ready`, `frames` or `enclosed`); at the end `close`.

    Each returns the samples that are final now. `position` is where in the output the part's own content starts.
    """

    def __init__(self, plan: Plan, front: Front) -> None:
        self._plan, self._front = plan, front
        self._joiner = Joiner(plan.fade)
        self._mask = mask_over(plan.over, front)
        self._stream: WaveStream | None = None
        self._stream_at = self._frames_in = 0
        self._gain = np.float32(1)
        self.position = 0

    @property
    def masked(self) -> bool:
        """Whether what is generated is heard as a mask on a recording."""
        return self._mask is not None

    def streams(self, part: Generated) -> bool:
        """Whether its frames can be decoded as they come; a part with context, or at another rate, is decoded whole."""
        return (
            part.before_FK is None
            and part.after_FK is None
            and self._plan.sample_rate == self._front.sample_rate
        )

    def begin(self, part: Part) -> np.ndarray:
        """Samples that were still in the decoder, unless the part goes on in the same stream."""
        if isinstance(part, Generated) and part.joined and self._stream is not None:
            self.position = self._stream_at + self._frames_in * self._front.hop
            return NOTHING
        rest_T = self._flush()
        self.position = self._joiner.begin()
        if isinstance(part, Generated) and part.before_FK is not None:
            self.position += self._plan.fade
        if isinstance(part, Generated) and self.streams(part):
            self._stream, self._stream_at, self._frames_in = self._front.stream(), self.position, 0
        return rest_T

    def ready(self, part: Ready) -> np.ndarray:
        """Audio that needs no work."""
        return self._out(self._joiner.push(part.wav_T))

    def frames(self, part: Generated, codes_FK: np.ndarray) -> np.ndarray:
        """The next frames (F, K) of a part that streams."""
        assert self._stream is not None
        self._gain = np.float32(part.gain)
        if not len(codes_FK):
            return NOTHING
        self._frames_in += len(codes_FK)
        return self._out(self._joiner.push(self._stream.push(codes_FK) * self._gain))

    def enclosed(self, part: Generated, codes_FK: np.ndarray) -> np.ndarray:
        """All frames of a part, decoded between the frames around it, with a cross-fade's length of those."""
        around = [c for c in (part.before_FK, codes_FK, part.after_FK) if c is not None and len(c)]
        if not around:
            return NOTHING
        own_rate, rate, fade = self._front.sample_rate, self._plan.sample_rate, self._plan.fade
        wav_T = self._front.decode(np.concatenate(around)) * np.float32(part.gain)
        wav_T = audio.resample(wav_T, own_rate, rate)
        samples_per_frame = self._front.hop * rate / own_rate
        start = 0 if part.before_FK is None else round(len(part.before_FK) * samples_per_frame) - fade
        stop = (
            len(wav_T)
            if part.after_FK is None
            else len(wav_T) - round(len(part.after_FK) * samples_per_frame) + fade
        )
        return self._out(self._joiner.push(wav_T[start:stop]))

    def close(self) -> np.ndarray:
        """What is left."""
        wav_T = np.concatenate([self._flush(), self._out(self._joiner.close())])
        return wav_T if self._mask is None else np.concatenate([wav_T, self._mask.close()])

    def _out(self, wav_T: np.ndarray) -> np.ndarray:
        return wav_T if self._mask is None else self._mask.push(wav_T)

    def _flush(self) -> np.ndarray:
        if self._stream is None:
            return NOTHING
        wav_T = self._out(self._joiner.push(self._stream.flush() * self._gain))
        self._stream = None
        return wav_T


class Mean:
    """An assembly for each of `tries`, of which the mean is heard: each masks the same recording, and what one of them
    takes for noise, or for speech, the others mostly don't. With one try, that one's.

    Raises ValueError for several where there is no mask: sounds that were made apart have no mean.
    """

    def __init__(self, plan: Plan, front: Front, tries: int = 1) -> None:
        self._all = [Assembly(plan, front) for _ in range(tries)]
        if tries > 1 and not self._all[0].masked:
            raise ValueError("only masks of a recording have a mean")

    @property
    def tries(self) -> int:
        return len(self._all)

    @property
    def masked(self) -> bool:
        return self._all[0].masked

    @property
    def position(self) -> int:
        return self._all[0].position

    def streams(self, part: Generated) -> bool:
        return self._all[0].streams(part)

    def begin(self, part: Part) -> np.ndarray:
        return _mean([a.begin(part) for a in self._all])

    def ready(self, part: Ready) -> np.ndarray:
        return _mean([a.ready(part) for a in self._all])

    def frames(self, part: Generated, codes: list[np.ndarray]) -> np.ndarray:
        """codes: the next frames (F, K) of each try, as many of each."""
        return _mean([a.frames(part, codes_FK) for a, codes_FK in zip(self._all, codes, strict=True)])

    def enclosed(self, part: Generated, codes: list[np.ndarray]) -> np.ndarray:
        return _mean([a.enclosed(part, codes_FK) for a, codes_FK in zip(self._all, codes, strict=True)])

    def close(self) -> np.ndarray:
        return _mean([a.close() for a in self._all])


def _mean(waves: list[np.ndarray]) -> np.ndarray:
    return waves[0] if len(waves) == 1 else np.asarray(np.mean(waves, axis=0, dtype=np.float32))

"""The text pointer of a running request: which phone its next frame says."""

import numpy as np

from speechx.batch import LOOKAHEAD, legal_pointer
from speechx.decoder import ahead_phones
from speechx.prompt import PackedPrompt


class Pointer:
    """A request's place in its phones, with the hard bounds on how long a phone lasts."""

    def __init__(
        self, packed: PackedPrompt, max_phone: int, max_pause: int, pauses: frozenset[int], max_advance: int
    ) -> None:
        assert packed.track is not None
        track = packed.track
        self.path_S: np.ndarray | None = None
        if track.path_F is not None:  # as in training: see speechx.batch.collate
            self.path_S, _ = legal_pointer(track.path_F[:: packed.frames_per_step], track, max_advance)
        self.steps = 0
        self.at, self.stop = track.start, track.stop
        self.age = 0  # frames spent on the phone
        self.clamps = packed.frames is not None  # the length ends the target, not the pointer
        self.ahead = ahead_phones(track.ids)
        self.limits = [max_pause if int(i) in pauses else max_phone for i in track.ids]

    def phones(self) -> np.ndarray:
        """The phones the next step sees, (LOOKAHEAD,)."""
        return self.ahead[self.at : self.at + LOOKAHEAD]

    def move(self, advance: int, frames: int) -> bool:
        """Count the step's frames, move on; True when the end of the text is reached."""
        self.age += frames
        self.steps += 1
        if self.path_S is not None:
            advance = int(self.path_S[min(self.steps, len(self.path_S) - 1)]) - self.at
        elif advance == 0 and self.age >= self.limits[self.at]:
            advance = 1
        to = self.at + advance
        if to >= self.stop and self.clamps:
            to = self.stop - 1
        if to > self.at:
            self.at, self.age = to, 0
        return to >= self.stop

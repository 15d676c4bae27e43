"""The text pointer of a running sequence: which phone its next frame says."""

import numpy as np

from speechx.engine.model_runner import ahead_phones
from speechx.models.lm.batch import LOOKAHEAD, legal_pointer
from speechx.models.lm.prompt import PackedPrompt


class TextPointer:
    """A sequence's place in its phones, with the hard bounds on how long a phone lasts.

    max_phone, max_pause: frames of one. max_pace: frames of a spoken phone on average; None: no bound. slack: frames that
    spoken phones may take beyond the pace.
    """

    def __init__(
        self,
        packed: PackedPrompt,
        max_phone: int,
        max_pause: int,
        pauses: frozenset[int],
        max_advance: int,
        max_pace: float | None = None,
        slack: int = 0,
    ) -> None:
        assert packed.track is not None
        track = packed.track
        self.path_S: np.ndarray | None = None
        if track.path_F is not None:  # as in training: see speechx.models.lm.batch.collate
            self.path_S, _ = legal_pointer(track.path_F, track, max_advance)
        self.steps = 0
        self.at, self.stop = track.start, track.stop
        self.age = 0  # frames spent on the phone
        self.clamps = packed.frames is not None  # the length ends the target, not the pointer
        self.ahead = ahead_phones(track.ids)
        self.limits = [max_pause if int(i) in pauses else max_phone for i in track.ids]
        self.max_pace, self.slack, self.spoken = max_pace, slack, [int(i) not in pauses for i in track.ids]
        self.taken = 0  # frames of spoken phones
        self.allowed = 0.0  # those that the phones so far may take

    def phones(self) -> np.ndarray:
        """The phones the next step sees, (LOOKAHEAD,)."""
        return self.ahead[self.at : self.at + LOOKAHEAD]

    def move(self, advance: int) -> bool:
        """Count the step's frame, move on; True when the end of the text is reached."""
        self.age += 1
        self.steps += 1
        drags = False
        if self.max_pace is not None and self.spoken[self.at]:
            self.taken += 1
            drags = self.taken >= self.allowed + self.max_pace + self.slack
        if self.path_S is not None:
            advance = int(self.path_S[min(self.steps, len(self.path_S) - 1)]) - self.at
        elif advance == 0 and (drags or self.age >= self.limits[self.at]):
            advance = 1
        to = self.at + advance
        if to >= self.stop and self.clamps:
            to = self.stop - 1
        if to > self.at:
            self.allowed += (self.max_pace or 0) * sum(self.spoken[self.at : to])
            self.at, self.age = to, 0
        return to >= self.stop

"""Transcripts of recordings for the page, by the recognizer of the extra `eval`."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, cast

import numpy as np

from speechx.audio.reading import resample
from speechx.cli.cluster import launcher
from speechx.errors import InputError
from speechx.serving.types import Sound

if TYPE_CHECKING:
    from speechx.data.recordings import Recognize

__all__ = ["ServedRecognizer"]

NAME = "whisper-base"


class ServedRecognizer:
    """One recording at a time, in a thread of this process. The model is loaded for the first one.

    missing: the sentence about what has to be installed; None where the recognizer is there.
    """

    def __init__(self) -> None:
        self.missing: str | None = None
        self._one = threading.Lock()
        try:
            self._recognize = cast("Recognize", launcher("recognizer")(NAME))
        except InputError as error:
            self.missing = str(error).removeprefix("recognizer: ")

    async def transcribe(self, sound: Sound, language: str) -> str:
        """What is said in a recording, "" where nothing is. Raises InputError."""
        if self.missing is not None:
            message = f"transcript is missing: type what is said ({self.missing})"
            raise InputError(message, field="transcript")
        return await asyncio.to_thread(self._transcribe, sound, language)

    def _transcribe(self, sound: Sound, language: str) -> str:
        wav_T, rate = sound
        with self._one:
            return self._recognize(resample(np.asarray(wav_T, np.float32), rate), language)

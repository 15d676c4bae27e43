"""The sample recordings in the package, and a request of each ability over them: the demo's, the bench's, the tests'."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from speechx.audio import reading

__all__ = ["Sample", "sample_requests"]

TEXT = "The boat leaves at seven. If the weather is good, we will see the islands before noon."
SPANISH = "El barco sale a las siete. Si hace buen tiempo, veremos las islas antes del mediodía."


@dataclass(frozen=True)
class Sample:
    """A request over the samples. before: the input recording, or the voice. output_text: words of the output.

    clean: the speech of the recording alone, clean_gain times as loud in the recording. is_rest: the task gives what the
    recording has beside it.
    """

    title: str
    task: str
    fields: dict[str, Any]
    before: Path
    output_text: str | None = None
    clean: Path | None = None
    clean_gain: float = 1.0
    is_rest: bool = False

    @property
    def old_text(self) -> str | None:
        """What the recording says, where the output is to say something else."""
        transcript = self.fields.get("transcript")
        return None if transcript is None else str(transcript)

    def sounds(self) -> dict[str, np.ndarray]:
        """The recordings of the request by field, (T,) at 16 kHz."""
        return {name: reading.read(value) for name, value in self.fields.items() if isinstance(value, Path)}

    def truth(self) -> np.ndarray | None:
        """What the output should be, (T,) at 16 kHz; None where there is no such recording."""
        if self.clean is None:
            return None
        clean_T = np.float32(self.clean_gain) * reading.read(self.clean)
        return reading.read(self.before) - clean_T if self.is_rest else clean_T


def sample_requests() -> list[Sample]:
    """One request for each of the seven abilities, seeds set."""
    folder = Path(str(files("speechx") / "assets" / "samples"))
    about = json.loads((folder / "samples.json").read_text(encoding="utf-8"))
    path = {name: folder / f"{name}.flac" for name in about}
    edit, noisy_edit, mixture = about["edit"], about["edit_noisy"], about["mixture"]

    def sample(
        title: str, task: str, before: str, output_text: str | None = None, has_truth: bool = False,
        is_rest: bool = False, **fields: object,
    ) -> Sample:  # fmt: skip
        clean = folder / f"{about[before]['reference']}.flac" if has_truth else None
        gain = about[before].get("reference_gain", 1.0)
        return Sample(title, task, {"seed": 1, **fields}, path[before], output_text, clean, gain, is_rest)

    return [
        sample("Text to speech in a cloned voice", "tts", "enrollment", TEXT, text=TEXT, voice=path["enrollment"]),
        sample(
            "The same voice in Spanish", "cross_lingual_tts", "enrollment", SPANISH,
            text=SPANISH, language="es", voice=path["enrollment"], voice_language="en",
        ),
        sample(
            "Noise suppression", "noise_suppression", "noisy", about["noisy"]["text"], True, audio=path["noisy"],
        ),
        sample(
            "Target speaker extraction", "target_speaker_extraction", "mixture", mixture["text"], True,
            audio=path["mixture"], enrollment=path["enrollment"],
        ),
        sample(
            "Speech removal", "speech_removal", "noisy", has_truth=True, is_rest=True, audio=path["noisy"],
        ),
        sample(
            "Speech editing", "speech_editing", "edit", edit["edited"],
            audio=path["edit"], transcript=edit["text"], text=edit["edited"],
        ),
        sample(
            "Speech editing, background kept", "speech_editing", "edit_noisy", noisy_edit["edited"],
            audio=path["edit_noisy"], transcript=noisy_edit["text"], text=noisy_edit["edited"], keep_background=True,
        ),
    ]  # fmt: skip

"""SpeechX: one task-prompted codec language model for speech.

    from speechx import SpeechX
    sx = SpeechX.load()
    sx.tts("Hello there.", voice="me.wav").save("hello.wav")

Names are loaded when first used: importing the package costs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Chunk": "speechx.jobs",
    "CodecLM": "speechx.pretrained",
    "InputError": "speechx.errors",
    "Job": "speechx.jobs",
    "Prompt": "speechx.prompt",
    "SamplingParams": "speechx.sampling",
    "Speech": "speechx.result",
    "SpeechX": "speechx.sdk",
    "WordTime": "speechx.jobs",
}

__all__ = [
    "Chunk",
    "CodecLM",
    "InputError",
    "Job",
    "Prompt",
    "SamplingParams",
    "Speech",
    "SpeechX",
    "WordTime",
]

if TYPE_CHECKING:
    from speechx.errors import InputError
    from speechx.jobs import Chunk, Job, WordTime
    from speechx.pretrained import CodecLM
    from speechx.prompt import Prompt
    from speechx.result import Speech
    from speechx.sampling import SamplingParams
    from speechx.sdk import SpeechX


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'speechx' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])

"""SpeechX: one task-prompted codec language model for speech.

    from speechx import SpeechX
    sx = SpeechX.load()
    sx.tts("Hello there.", voice="me.wav").save("hello.wav")

Names are loaded when first used: importing the package costs no torch.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# In a clone, tasks/, serving/ and eval/ lie beside this folder; a wheel has them in it. Both are speechx.tasks and so on.
_clone = Path(__file__).resolve().parent.parent
if (_clone / "tasks" / "tts.py").is_file():
    __path__.append(str(_clone))

# OpenMP's threads wait for each other in a loop before they sleep. By default the loop is so long that on a busy machine
# they take the processor from those they wait for. Read by libgomp when torch is loaded; docs/log.md has the figures.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")

_HOMES = {
    "Chunk": "speechx.pipeline.job",
    "CodecLM": "speechx.models.lm.pretrained",
    "InputError": "speechx.errors",
    "Job": "speechx.pipeline.job",
    "Prompt": "speechx.models.lm.prompt",
    "SamplingParams": "speechx.engine.sampling",
    "Speech": "speechx.pipeline.result",
    "SpeechX": "speechx.api",
    "WordTime": "speechx.text.types",
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
    from speechx.api import SpeechX
    from speechx.engine.sampling import SamplingParams
    from speechx.errors import InputError
    from speechx.models.lm.pretrained import CodecLM
    from speechx.models.lm.prompt import Prompt
    from speechx.pipeline.job import Chunk, Job
    from speechx.pipeline.result import Speech
    from speechx.text.types import WordTime


import_module("speechx.models.auto").register_when_imported()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'speechx' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])

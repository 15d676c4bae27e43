"""What the player shows of sounds: pictures on one scale, addresses to play, words. Shapes: T samples."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import numpy as np

from speechx.audio.plots import PlotScale, sound_svg
from speechx.audio.writing import StreamEncoder, encode
from speechx.pipeline.result import Speech
from speechx.serving.page.results import PageResults
from speechx.serving.service import Service
from speechx.serving.types import JsonObject, Sound
from speechx.task import registry
from speechx.task.fields import TaskRequest
from speechx.task.task import AnyTask

__all__ = ["pcm", "shown_inputs", "shown_sounds"]


def shown_inputs(service: Service, task: AnyTask, request: TaskRequest) -> dict[str, Sound]:
    """The sounds of a request by field, those of known voices too."""
    found: dict[str, Sound] = {}
    for name in registry.audio_fields(task):
        value = getattr(request, name)
        if isinstance(value, str):
            found[f"{name}: {value}"] = service.voices.wav(value), 16000
        elif value is not None:
            found[name] = value
    return found


def shown_sounds(
    results: PageResults, sounds: Mapping[str, Sound], output: Speech | None, format: str
) -> list[JsonObject]:
    """caption, url, svg, seconds and download name of each, all on one scale; the output is the last."""
    all_sounds = dict(sounds) | ({"result": (output.wav_T, output.sample_rate)} if output else {})
    scale = PlotScale.of(all_sounds.values())
    shown = []
    for caption, (wav_T, rate) in all_sounds.items():
        is_output = output is not None and caption == "result"
        kind = format if is_output else "wav"
        data = output.encode(kind) if is_output and output else encode(wav_T, rate, "wav")
        shown.append({
            "caption": caption[0].upper() + caption[1:].replace("_", " "),
            "url": results.put(data, kind),
            "svg": sound_svg(np.asarray(wav_T), rate, scale),
            "seconds": round(len(wav_T) / rate, 3),
            "download": f"speechx.{kind}" if is_output else None,
        })  # fmt: skip
    return shown


def pcm(wav_T: np.ndarray, rate: int) -> str:
    """Base64 of 16-bit PCM."""
    return base64.b64encode(StreamEncoder("pcm", rate).push(wav_T)).decode()

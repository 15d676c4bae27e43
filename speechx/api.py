"""The Python API: `SpeechX`, with one method per task.

    sx = SpeechX.load()
    audio = sx.noise_suppression("noisy.wav")            # a Speech: wav_T, sample_rate, words, seed, save()
    for chunk in sx.stream("tts", text="Hello.", voice="me.wav"):
        play(chunk.wav_T)

The methods come from the task registry; their fields and checks are those of the task's request. No torch until `load`.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MethodType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, Union, get_args, get_origin

from speechx.audio.coercion import AudioLike, as_source
from speechx.errors import InputError, did_you_mean
from speechx.pipeline.job import Chunk, Job
from speechx.pipeline.result import Speech
from speechx.task import registry
from speechx.text.languages import language_code

if TYPE_CHECKING:
    from typing import TypedDict, Unpack

    from speechx.models.aligner import Alignment
    from speechx.pipeline.pipeline import Pipeline
    from speechx.task.task import AnyTask

    class Options(TypedDict, total=False):
        """Fields of every task."""

        seed: int | None
        temperature: float | None
        top_p: float | None
        best_of: int


__all__ = ["SpeechX"]

T = TypeVar("T")


class TaskMethods(type):
    """The tasks as methods of the class, so that `help(SpeechX)` and editors show them. No task is imported before."""

    def __dir__(cls) -> list[str]:
        return sorted({*super().__dir__(), *registry.task_names()})

    def __getattr__(cls, name: str) -> Callable[..., Speech]:
        if name.startswith("_") or name not in registry.task_names():
            raise AttributeError(f"SpeechX has no attribute or task {name!r}{did_you_mean(name, dir(cls))}")
        return _task_method(registry.task(name))


class SpeechX(metaclass=TaskMethods):
    """One loaded model, with a method for each task. `SpeechX.load()` loads it.

    Audio is a path, the bytes of a file, an open file, (samples, rate) of any array library, {"array", "sampling_rate"}, or
    a Speech; a voice may be the id of a known one. Calls may come from several threads, which take turns at the engine, and
    from a forked child.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline

    @classmethod
    def load(
        cls,
        path: str | Path | None = None,
        *,
        codec: str | Path | None = None,
        device: str = "cpu",
        slots: int = 8,
        voice_check: str | None = None,
    ) -> SpeechX:
        """Loads a model folder: `path`, else $SPEECHX_MODEL, else the weights in the package.

        `org/name` is a repository of the Hugging Face hub, `org/name@revision` a fixed state of it.

        codec: another place of the codec than the folder (speechx.models.codec.sources). slots: candidates in the engine's
        batch at once; a request that speaks has three. voice_check: "ecapa" makes best-of-N compare voices, too
        (speechx.models.speaker). Raises InputError where the folder,
        the weights or their codec do not fit.
        """
        from speechx.pipeline.loading import load_pipeline

        return cls(load_pipeline(path, codec=codec, device=device, slots=slots, voice_check=voice_check))

    @property
    def tasks(self) -> dict[str, str]:
        """Names of the tasks and what they do."""
        return {name: task.summary for name, task in registry.tasks().items()}

    def run(self, task: str, /, **fields: Any) -> Speech:
        """The result of any task by its name. Raises InputError that names the field at fault."""
        return self.pipeline.speak(self.pipeline.job(task, **fields))

    def stream(self, task: str, /, **fields: Any) -> Iterator[Chunk]:
        """Like `run`, in chunks while audio is generated; the last one is final. Closing the iterator aborts the job."""
        return self.pipeline.stream(self.pipeline.job(task, **{**fields, "stream": True}))

    def batch(
        self, rows: Iterable[Mapping[str, Any]]
    ) -> Iterator[tuple[Mapping[str, Any], Speech | Exception]]:
        """Many requests in one engine batch: rows of {"task": ..., fields} to results, in the order of completion.

        A row that fails, or that is no request, has its exception as the result.
        """
        kept: dict[str, Mapping[str, Any]] = {}
        bad = deque[tuple[Mapping[str, Any], InputError]]()

        def jobs() -> Iterator[Job]:
            for row in rows:
                try:
                    job = self._job_of(row)
                except InputError as error:
                    bad.append((row, error))
                    continue
                kept[job.id] = row
                yield job

        for job, result in self.pipeline.speak_many(jobs()):
            yield from _drained(bad)
            yield kept.pop(job.id), result
        yield from _drained(bad)

    def _job_of(self, row: object) -> Job:
        """The job of a row of `batch`. Raises InputError."""
        if not isinstance(row, Mapping):
            raise InputError(f"a row must be a mapping of fields, got {type(row).__name__}")
        if row.get("task") is None:
            raise InputError("task is missing: each row needs one", field="task")
        fields = {str(name): value for name, value in row.items() if name not in ("task", "id")}
        return self.pipeline.job(str(row["task"]), **fields)

    def align(self, audio: AudioLike, text: str, language: str = "en") -> Alignment:
        """Times of each word of `text` in the recording, and how well they fit."""
        try:
            source = as_source(audio)
        except InputError as error:
            raise error.located("audio") from error
        return self.pipeline.frontend.align_text(source, text, language_code(language))

    def __repr__(self) -> str:
        return f"<SpeechX model {self.pipeline.model}, {self.pipeline.runner.slots} slots>"

    def __getattr__(self, name: str) -> Callable[..., Speech]:
        return MethodType(TaskMethods.__getattr__(type(self), name), self)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *registry.task_names()})

    if TYPE_CHECKING:  # what the registry gives at run time, for type checkers and editors

        def tts(
            self, text: str, *, voice: AudioLike, language: str = ..., **options: Unpack[Options]
        ) -> Speech:
            """Say a text in the voice of a short recording."""

        def cross_lingual_tts(
            self, text: str, *, voice: AudioLike, language: str, voice_language: str | None = ...,
            voice_text: str | None = ..., **options: Unpack[Options],
        ) -> Speech:  # fmt: skip
            """Say a text in a language that the voice was not recorded in."""

        def noise_suppression(
            self,
            audio: AudioLike,
            *,
            text: str | None = ...,
            language: str = ...,
            strength: float = ...,
            **options: Unpack[Options],
        ) -> Speech:
            """Keep the speech of a recording, take the noise away."""

        def speech_removal(
            self,
            audio: AudioLike,
            *,
            text: str | None = ...,
            language: str = ...,
            strength: float = ...,
            **options: Unpack[Options],
        ) -> Speech:
            """Take the speech away, keep the background sound."""

        def target_speaker_extraction(
            self, audio: AudioLike, *, enrollment: AudioLike, text: str | None = ..., language: str = ...,
            strength: float = ..., **options: Unpack[Options],
        ) -> Speech:  # fmt: skip
            """Pull one speaker out of a mixture, known by a short recording."""

        def speech_editing(
            self, audio: AudioLike, *, text: str, transcript: str | None = ..., span: tuple[float, float] | None = ...,
            keep_background: bool = ..., language: str = ..., **options: Unpack[Options],
        ) -> Speech:  # fmt: skip
            """Change words of a recording, leave the rest untouched."""


def _drained(queue: deque[T]) -> Iterator[T]:
    while queue:
        yield queue.popleft()


@cache
def _task_method(task: AnyTask) -> Callable[..., Speech]:
    """The method of a task: signature and documentation from its request."""
    name, fields = task.name, task.Request.model_fields
    first = next(field for field, info in fields.items() if info.is_required())

    def method(self: SpeechX, *args: Any, **given: Any) -> Speech:
        if len(args) > 1:
            raise TypeError(f"{name}() takes one positional argument, {first}; name the others")
        return self.run(name, **(dict(zip([first], args, strict=False)) | given))

    kind, shared = inspect.Parameter, registry.shared_fields(task)
    parameters = [kind("self", kind.POSITIONAL_OR_KEYWORD)]
    for field in sorted(fields, key=lambda f: (f != first, f in shared, not fields[f].is_required())):
        if field not in ("stream", "format"):
            how = kind.POSITIONAL_OR_KEYWORD if field == first else kind.KEYWORD_ONLY
            default = kind.empty if fields[field].is_required() else fields[field].default
            parameters.append(kind(field, how, annotation=_shown_type(task, field), default=default))
    method.__name__ = name
    method.__qualname__ = f"SpeechX.{name}"
    about = "\n".join(f"    {p.name}: {fields[p.name].description}" for p in parameters[1:])
    method.__doc__ = f"{task.summary[0].upper()}{task.summary[1:]}.\n\n{about}"
    method.__signature__ = inspect.Signature(parameters, return_annotation=Speech)  # type: ignore[attr-defined]
    return method


def _shown_type(task: AnyTask, field: str) -> str:
    """The type of a field as `help` shows it: without what pydantic checks."""
    if field in registry.audio_fields(task):
        return "AudioLike"
    annotation = task.Request.model_fields[field].annotation
    variants = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    plain = [get_args(one)[0] if get_origin(one) is Annotated else one for one in variants]
    return " | ".join("None" if one is type(None) else inspect.formatannotation(one) for one in plain)

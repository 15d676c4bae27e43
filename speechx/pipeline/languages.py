"""The language of a request: the one it names, else that of its voice's adapter."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from speechx.errors import InputError
from speechx.task import registry
from speechx.text.languages import LANGUAGES, unsupported

if TYPE_CHECKING:
    from speechx.audio.types import AudioSource
    from speechx.models.lora import LoRAAdapter
    from speechx.task.fields import TaskRequest
    from speechx.task.frontend import Frontend

__all__ = ["check_languages", "in_language_of_voice"]


def in_language_of_voice(
    request: TaskRequest, adapter_of: Callable[[AudioSource], LoRAAdapter | None]
) -> TaskRequest:
    """The request with the language of its voice's adapter, where it names none: in another one the adapter is of no use.

    adapter_of: the adapter that a voice has.
    """
    if "language" in request.model_fields_set or "language" not in type(request).model_fields:
        return request
    for voice in _voices(request):
        adapter = adapter_of(voice)
        spoken = () if adapter is None else adapter.scope.languages
        if spoken and getattr(request, "language", None) not in spoken:
            return request.model_copy(update={"language": spoken[0]})
    return request


def check_languages(request: TaskRequest, frontend: Frontend) -> None:
    """Raises InputError for a language that the model and the request's voice lack, and for one beside another text's."""
    kinds, voices = registry.field_kinds(type(request)), _voices(request)
    for name in [name for name, kind in kinds.items() if kind == "language"]:
        language = getattr(request, name)
        if language in (None, *LANGUAGES):
            continue
        if language not in frontend.languages and not any(
            _speaks(voice, language, frontend) for voice in voices
        ):
            raise InputError(f"{name}: {unsupported(language, frontend.languages)}", field=name)
        if name != "language" and language != getattr(request, "language", None):
            raise InputError(
                f"{name}: {language!r} was added to this model, and can be used where `language` is the same",
                field=name,
            )


def _speaks(voice: AudioSource, language: str, frontend: Frontend) -> bool:
    """Whether a voice has an adapter for the language."""
    adapter = frontend.voice_adapter(voice)
    return adapter is not None and language in adapter.scope.languages


def _voices(request: TaskRequest) -> list[AudioSource]:
    kinds = registry.field_kinds(type(request))
    given = [getattr(request, name) for name, kind in kinds.items() if kind == "voice"]
    return [voice for voice in given if voice is not None]

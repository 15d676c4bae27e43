"""A voice with an adapter: who names it by its id speaks with it; nobody else does."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from speechx.api import SpeechX
from speechx.errors import InputError
from speechx.models.lm.folder import LM_FOLDER, load_model
from speechx.task.voices import VoiceStore
from tests.helpers.adapters import adapter_bytes

TEXT = {"text": "One two three.", "seed": 1, "best_of": 1}


@pytest.fixture
def sx(tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, speech: object) -> SpeechX:
    """A model whose voices are anna, adapted to English, and bert, who is not; one recording for both."""
    monkeypatch.setenv("SPEECHX_VOICES", str(tmp_path / "voices"))
    store = VoiceStore()
    for voice_id in ("anna", "bert"):
        store.enroll((speech(4.0), 16000), voice_id, consent=True)  # type: ignore[operator]
    base = LM_FOLDER.weights_hash(tiny_folder / "lm")
    store.set_adapter("anna", adapter_bytes(load_model(tiny_folder / "lm"), base, languages=("en",)))
    return SpeechX.load(tiny_folder, slots=4)


def test_the_adapter_comes_with_the_voice(sx: SpeechX) -> None:
    plain, adapted = (sx.tts(voice=name, **TEXT).wav_T for name in ("bert", "anna"))
    assert len(plain) != len(adapted) or not np.array_equal(plain, adapted)
    assert np.array_equal(adapted, sx.tts(voice="Anna", **TEXT).wav_T)
    recording = (VoiceStore().wav("anna"), 16000)
    assert np.array_equal(plain, sx.tts(voice=recording, **TEXT).wav_T), "the recording alone has no adapter"


def test_together_in_one_batch_each_is_as_alone(sx: SpeechX) -> None:
    alone = {name: sx.tts(voice=name, **TEXT).wav_T for name in ("anna", "bert")}
    rows = [{"task": "tts", "voice": name, **TEXT} for name in ("anna", "bert", "anna")]
    for row, made in sx.batch(rows):
        assert not isinstance(made, Exception)
        np.testing.assert_array_equal(made.wav_T, alone[row["voice"]])


def test_other_languages_are_spoken_without_it(sx: SpeechX) -> None:
    spoken = [sx.cross_lingual_tts(voice=name, language="es", **TEXT).wav_T for name in ("anna", "bert")]
    np.testing.assert_array_equal(*spoken)


def test_an_adapter_of_another_model_is_refused_by_name(sx: SpeechX, tiny_folder: Path) -> None:
    data = adapter_bytes(load_model(tiny_folder / "lm"), "feedfeedfeedfeed")
    VoiceStore().set_adapter("bert", data)
    own = LM_FOLDER.weights_hash(tiny_folder / "lm")
    with pytest.raises(
        InputError, match=f"'bert' was adapted to language model feedfeedfeedfeed, .* {own}"
    ) as caught:
        sx.tts(voice="bert", **TEXT)
    assert caught.value.field == "voice"


def test_a_model_folder_with_an_adapter_speaks_that_language_with_it(
    sx: SpeechX, tiny_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_folder, tmp_path / "anna")
    (tmp_path / "anna" / "lm" / "adapters").mkdir()
    base = LM_FOLDER.weights_hash(tiny_folder / "lm")
    path = tmp_path / "anna" / "lm" / "adapters" / "anna.safetensors"
    path.write_bytes(adapter_bytes(load_model(tiny_folder / "lm"), base, languages=("en",)))
    own = SpeechX.load(tmp_path / "anna", slots=4)
    assert own.pipeline.model != sx.pipeline.model, "results name the model that made them"
    np.testing.assert_array_equal(own.tts(voice="bert", **TEXT).wav_T, sx.tts(voice="anna", **TEXT).wav_T)
    spanish = {**TEXT, "language": "es"}
    np.testing.assert_array_equal(
        own.tts(voice="bert", **spanish).wav_T, sx.tts(voice="bert", **spanish).wav_T
    )
    path.write_bytes(adapter_bytes(load_model(tiny_folder / "lm"), "feedfeedfeedfeed"))
    with pytest.raises(
        InputError, match=f"adapter anna in .* language model feedfeedfeedfeed, not for {base}"
    ):
        SpeechX.load(tmp_path / "anna")


def test_a_text_without_a_language_is_read_in_that_of_the_adapter(sx: SpeechX, tiny_folder: Path) -> None:
    base = LM_FOLDER.weights_hash(tiny_folder / "lm")
    VoiceStore().set_adapter("bert", adapter_bytes(load_model(tiny_folder / "lm"), base, languages=("fr",)))
    text = {**TEXT, "text": "Bonjour, ça va bien."}
    plain = sx.tts(voice="bert", **text)
    np.testing.assert_array_equal(plain.wav_T, sx.tts(voice="bert", language="fr", **text).wav_T)
    english = sx.tts(voice="bert", language="en", **text)
    assert len(english.wav_T) != len(plain.wav_T) or not np.array_equal(english.wav_T, plain.wav_T)
    rows = [made for _, made in sx.batch([{"task": "tts", "voice": "bert", **text}])]
    assert not isinstance(rows[0], Exception)
    np.testing.assert_array_equal(rows[0].wav_T, plain.wav_T)

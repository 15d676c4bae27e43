"""What a recognizer hears as a loss: a small Whisper with random weights stands in for a real one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from speechx.errors import InputError
from speechx.models.codec.config import SpectralConfig
from speechx.training.codec import train
from speechx.training.codec_config import CodecTrainConfig
from speechx.training.recognizer_loss import RecognizerLoss

RATE = 16000


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import WhisperConfig, WhisperModel

    folder = tmp_path_factory.mktemp("whisper")
    sizes = {
        "d_model": 16,
        "encoder_layers": 2,
        "decoder_layers": 1,
        "vocab_size": 8,
        "max_source_positions": 200,
    }
    tokens = dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id"), 0)
    torch.manual_seed(1)
    heads = {
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "encoder_ffn_dim": 32,
        "decoder_ffn_dim": 32,
    }
    WhisperModel(WhisperConfig(**sizes, **heads, **tokens)).save_pretrained(folder)
    return folder


def sound(seed: int) -> torch.Tensor:
    return 0.1 * torch.randn(2, RATE // 2, generator=torch.Generator().manual_seed(seed))


def test_equal_sounds_are_no_distance_apart_and_others_are(whisper: Path) -> None:
    loss = RecognizerLoss(str(whisper), RATE, 2)
    wav_BT = sound(1)
    assert loss(wav_BT, wav_BT) == 0
    near, far = loss(wav_BT + 0.01 * sound(2), wav_BT), loss(sound(2), wav_BT)
    assert 0 < near < far


def test_the_gradient_reaches_the_sound_and_nothing_of_the_recognizer(whisper: Path) -> None:
    loss = RecognizerLoss(str(whisper), RATE, 1)
    wav_BT = sound(1).requires_grad_()
    loss(wav_BT, sound(2)).backward()
    assert wav_BT.grad is not None and float(wav_BT.grad.abs().max()) > 0
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in loss.parameters())


def test_its_features_are_those_of_transformers(whisper: Path) -> None:
    from transformers import WhisperFeatureExtractor, WhisperModel

    wav_T = sound(3)[0, : 4 * RATE].repeat(8)[: 4 * RATE]
    reader = WhisperFeatureExtractor(feature_size=80, chunk_length=4)
    mel = reader(wav_T.numpy(), sampling_rate=RATE, return_tensors="pt").input_features
    encoder = WhisperModel.from_pretrained(whisper).encoder
    wanted = encoder(mel, output_hidden_states=True).hidden_states
    found = RecognizerLoss(str(whisper), RATE, 2).features(wav_T[None])
    np.testing.assert_allclose(found[0].detach(), wanted[1].detach(), atol=2e-4)


@pytest.mark.parametrize(
    ("rate", "layers", "message"),
    [(24000, 1, "Whisper hears 16,000 Hz, and the codec has 24,000"), (RATE, 3, "has 1 to 2 layers, not 3")],
)
def test_what_does_not_fit(whisper: Path, rate: int, layers: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        RecognizerLoss(str(whisper), rate, layers)


def test_a_folder_without_a_whisper(tmp_path: Path) -> None:
    for text in (None, '{"model_type": "mimi"}', '{"model_type": "whisper"}', "{", "[]"):
        if text is not None:
            (tmp_path / "config.json").write_text(text)
        with pytest.raises(
            InputError, match="has no Whisper checkpoint in the layout of transformers"
        ) as found:
            RecognizerLoss(str(tmp_path), RATE, 1)
        assert found.value.field == "recognizer"


def test_a_recognizer_without_a_weight_and_a_weight_without_a_recognizer() -> None:
    for fields in ({"recognizer": "openai/whisper-base"}, {"w_recognizer": 1.0}):
        with pytest.raises(ValueError, match="recognizer: name one, and give it a w_recognizer above 0"):
            CodecTrainConfig(**fields)


def test_rows_are_judged_alike_alone_and_in_a_batch(whisper: Path) -> None:
    """So that several processes follow one."""
    loss, out_BT, target_BT = RecognizerLoss(str(whisper), RATE, 2), sound(1), sound(2)
    alone = [loss(out_BT[i : i + 1], target_BT[i : i + 1]) for i in range(2)]
    torch.testing.assert_close(loss(out_BT, target_BT), torch.stack(alone).mean())


def test_a_decoder_is_trained_with_it(whisper: Path, pack_folder: Path, tmp_path: Path) -> None:
    tiny = {"batch": 2, "crop_frames": 10, "warmup": 1, "bf16": False, "codec": SpectralConfig.preset("tiny")}
    train(CodecTrainConfig(**tiny, steps=1), str(pack_folder), str(tmp_path / "a"), False, "cpu", None)
    recipe = CodecTrainConfig(
        **tiny,
        steps=2,
        decoder_only=True,
        recognizer=str(whisper),
        recognizer_layers=2,
        w_recognizer=1.0,
        log_every=1,
    )
    start = str(tmp_path / "a" / "last.pt")
    train(recipe, str(pack_folder), str(tmp_path / "b"), False, "cpu", None, start)
    assert "heard" in (tmp_path / "b" / "log.csv").read_text().splitlines()[0]

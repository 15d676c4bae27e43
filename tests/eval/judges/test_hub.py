"""The field's standard judges, on small checkpoints of the same kinds made here: their weights are not at hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from speechx.eval.judges.judges import Judges
from speechx.eval.scores import Unmeasurable

RATE = 16000


CONVOLUTIONS = {
    "conv_dim": (16, 16, 16), "conv_kernel": (10, 8, 4), "conv_stride": (10, 8, 4), "num_feat_extract_layers": 3,
    "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 2, "hidden_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 2, "intermediate_size": 64,
}  # fmt: skip


@pytest.fixture(scope="module")
def sounds() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [0.1 * rng.standard_normal(n).astype(np.float32) for n in (RATE, 2 * RATE)]


def test_hubert_hears_letters(tmp_path: Path, sounds: list[np.ndarray]) -> None:
    """A head that hears H, then nothing, then I: greedy CTC drops the blanks and what is said twice."""
    from transformers import (
        HubertConfig,
        HubertForCTC,
        Wav2Vec2CTCTokenizer,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2Processor,
    )

    (tmp_path / "vocab.json").write_text(json.dumps({"<pad>": 0, "<unk>": 1, "|": 2, "H": 3, "I": 4}))
    tokenizer = Wav2Vec2CTCTokenizer(str(tmp_path / "vocab.json"), pad_token="<pad>", unk_token="<unk>")
    Wav2Vec2Processor(Wav2Vec2FeatureExtractor(), tokenizer).save_pretrained(tmp_path)
    torch.manual_seed(0)
    model = HubertForCTC(HubertConfig(**CONVOLUTIONS, vocab_size=5))
    with torch.no_grad():
        model.lm_head.weight.zero_()
        model.lm_head.bias.copy_(torch.tensor([0.0, -9.0, -9.0, 9.0, -9.0]))
    model.save_pretrained(tmp_path)

    judges = Judges(asr=f"hubert:{tmp_path}")
    assert judges.transcribe(sounds[0], "en").text == "h"
    assert judges.model("asr").info.name == "hubert-ctc" and not judges.model("asr").info.hash.startswith(
        "hub:"
    )
    with pytest.raises(Unmeasurable, match="English only"):
        judges.transcribe(sounds[0], "de")
    with pytest.raises(Unmeasurable, match="languages"):
        judges.language_probabilities(sounds[0])


def test_wavlm_tells_speakers(tmp_path: Path, sounds: list[np.ndarray]) -> None:
    from transformers import Wav2Vec2FeatureExtractor, WavLMConfig, WavLMForXVector

    torch.manual_seed(0)
    config = WavLMConfig(
        **CONVOLUTIONS, tdnn_dim=(16, 16), tdnn_kernel=(5, 1), tdnn_dilation=(1, 1), xvector_output_dim=12
    )
    model = WavLMForXVector(config).eval()
    model.save_pretrained(tmp_path)
    Wav2Vec2FeatureExtractor(do_normalize=False).save_pretrained(tmp_path)

    judges = Judges(speaker=f"wavlm:{tmp_path}")
    with torch.inference_mode():
        a, b = (model(torch.from_numpy(wav_T)[None]).embeddings[0] for wav_T in sounds)
    wanted = torch.nn.functional.cosine_similarity(a, b, dim=0).item()
    assert judges.speaker_similarity(*sounds) == pytest.approx(wanted, abs=1e-5)
    assert judges.speaker_similarity(sounds[0], sounds[0]) == pytest.approx(1, abs=1e-6)


def test_utmos_from_a_file(tmp_path: Path, sounds: list[np.ndarray]) -> None:
    class Loudness(torch.nn.Module):
        def forward(self, wav_BT: torch.Tensor, rate: int) -> torch.Tensor:
            return wav_BT.abs().mean(1) * (rate / 16000)

    path = tmp_path / "utmos.pt"
    torch.jit.script(Loudness()).save(str(path))
    judges = Judges(mos=(f"utmos:{path}",))
    assert judges.predict_mos("utmos", sounds[0]) == {
        "utmos": pytest.approx(np.abs(sounds[0]).mean(), rel=1e-5)
    }

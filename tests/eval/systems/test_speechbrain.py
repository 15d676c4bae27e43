"""SpeechBrain's MetricGAN+, SepFormer and ECAPA with small random weights: architecture and plumbing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from speechx.errors import InputError
from speechx.eval.judges.judges import Judges
from speechx.eval.sets.store import TestSet
from speechx.eval.systems.systems import built_in
from speechx.models.speaker import open_voice_encoder
from tests.helpers.judges import SpectrumEncoder
from tests.helpers.optional import need

REASON = "speechbrain needs torchaudio"

METRICGAN = """
compute_stft: !new:speechbrain.processing.features.STFT
    sample_rate: 16000
    win_length: 32
    hop_length: 16
    n_fft: 512
    window_fn: !name:torch.hamming_window
compute_istft: !new:speechbrain.processing.features.ISTFT
    sample_rate: 16000
    win_length: 32
    hop_length: 16
    window_fn: !name:torch.hamming_window
spectral_magnitude: !name:speechbrain.processing.features.spectral_magnitude
    power: 0.5
resynth: !name:speechbrain.processing.signal_processing.resynthesize
    stft: !ref <compute_stft>
    istft: !ref <compute_istft>
enhance_model: !new:speechbrain.lobes.models.MetricGAN.EnhancementGenerator
    num_layers: 1
modules:
    enhance_model: !ref <enhance_model>
pretrainer: !new:speechbrain.utils.parameter_transfer.Pretrainer
    loadables: {enhance_model: !ref <enhance_model>}
    paths: {enhance_model: FOLDER/enhance_model.ckpt}
"""

SEPFORMER = """
sample_rate: 8000
num_spks: 2
encoder: !new:speechbrain.lobes.models.dual_path.Encoder
    kernel_size: 16
    out_channels: 16
block: !new:speechbrain.lobes.models.dual_path.SBTransformerBlock
    num_layers: 1
    d_model: 16
    nhead: 2
    d_ffn: 16
masknet: !new:speechbrain.lobes.models.dual_path.Dual_Path_Model
    num_spks: 2
    in_channels: 16
    out_channels: 16
    num_layers: 1
    K: 50
    intra_model: !ref <block>
    inter_model: !ref <block>
decoder: !new:speechbrain.lobes.models.dual_path.Decoder
    in_channels: 16
    out_channels: 1
    kernel_size: 16
    stride: 8
    bias: False
modules:
    encoder: !ref <encoder>
    masknet: !ref <masknet>
    decoder: !ref <decoder>
pretrainer: !new:speechbrain.utils.parameter_transfer.Pretrainer
    loadables: {encoder: !ref <encoder>}
    paths: {encoder: FOLDER/encoder.ckpt}
"""

ECAPA_SHAPE = {
    "input_size": 20, "channels": [16, 16, 16, 16, 48], "kernel_sizes": [5, 3, 3, 3, 1], "dilations": [1, 2, 3, 4, 1],
    "attention_channels": 8, "lin_neurons": 12,
}  # fmt: skip
ECAPA = f"""
compute_features: !new:speechbrain.lobes.features.Fbank
    n_mels: 20
mean_var_norm: !new:speechbrain.processing.features.InputNormalization
    norm_type: sentence
    std_norm: False
embedding_model: !new:speechbrain.lobes.models.ECAPA_TDNN.ECAPA_TDNN
{"".join(f"    {name}: {json.dumps(value)}" + chr(10) for name, value in ECAPA_SHAPE.items())}
classifier: !new:torch.nn.Identity
modules:
    compute_features: !ref <compute_features>
    mean_var_norm: !ref <mean_var_norm>
    embedding_model: !ref <embedding_model>
    classifier: !ref <classifier>
pretrainer: !new:speechbrain.utils.parameter_transfer.Pretrainer
    loadables: {{embedding_model: !ref <embedding_model>}}
    paths: {{embedding_model: FOLDER/embedding_model.ckpt}}
"""


def write(folder: Path, hyperparams: str, name: str, module: torch.nn.Module) -> Path:
    torch.save(module.state_dict(), folder / f"{name}.ckpt")
    (folder / "hyperparams.yaml").write_text(hyperparams.replace("FOLDER", str(folder)))
    return folder


@pytest.fixture
def brain() -> None:
    need("torchaudio", REASON)
    need("speechbrain", REASON)
    torch.manual_seed(0)


def test_metricgan_masks_a_recording(brain: None, tmp_path: Path, test_set: TestSet) -> None:
    from speechbrain.lobes.models.MetricGAN import EnhancementGenerator

    folder = write(tmp_path, METRICGAN, "enhance_model", EnhancementGenerator(num_layers=1))
    (item,) = test_set.chosen(["noise_suppression"], 1)
    ((_, output),) = built_in(f"metricgan:{folder}", Judges()).outputs([item])
    assert not isinstance(output, Exception), output
    assert output.wav_T.shape == item.recording("audio").shape and np.isfinite(output.wav_T).all()


def test_sepformer_separates_at_its_own_rate(brain: None, tmp_path: Path, test_set: TestSet) -> None:
    from speechbrain.lobes.models.dual_path import Encoder

    folder = write(tmp_path, SEPFORMER, "encoder", Encoder(kernel_size=16, out_channels=16))
    (noisy,) = test_set.chosen(["noise_suppression"], 1)
    ((_, output),) = built_in(f"sepformer:{folder}", Judges()).outputs([noisy])
    assert not isinstance(output, Exception), output
    assert output.wav_T.shape == noisy.recording("audio").shape
    (mixture,) = test_set.chosen(["target_speaker_extraction"], 1)
    judges = Judges(models={"speaker": SpectrumEncoder()})
    ((_, output),) = built_in(f"sepformer_separation:{folder}", judges).outputs([mixture])
    assert not isinstance(output, Exception), output
    assert np.abs(output.wav_T).max() == pytest.approx(np.abs(mixture.recording("audio")).max(), rel=0.2)


def test_ecapa_is_a_judge_and_a_voice_check(brain: None, tmp_path: Path) -> None:
    from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN

    folder = write(tmp_path, ECAPA, "embedding_model", ECAPA_TDNN(**ECAPA_SHAPE))
    rng = np.random.default_rng(0)
    a_T, b_T = rng.standard_normal((2, 16000)).astype(np.float32) * 0.1
    judges = Judges(speaker=f"ecapa:{folder}")
    assert judges.speaker_similarity(a_T, a_T) == pytest.approx(1, abs=1e-5)
    a_D, b_D = map(open_voice_encoder(f"ecapa:{folder}").embed, (a_T, b_T))
    assert np.linalg.norm(a_D) == pytest.approx(1, abs=1e-5)
    assert judges.speaker_similarity(a_T, b_T) == pytest.approx(float(a_D @ b_D), abs=1e-5)


def test_names() -> None:
    assert built_in("metricgan", Judges()).kind == "baseline"
    for name in ("metricgan2", "rnnoise:FOLDER"):
        with pytest.raises(InputError, match="is unknown"):
            built_in(name, Judges())

"""A generated estimate as a mask on the recording it was made from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from speechx.audio import levels, reading
from speechx.audio.mel import htk_filters
from speechx.eval.metrics.signal import si_sdr
from speechx.models.refiner import Refiner, RefinerConfig, make_refiner, to_bins
from speechx.pipeline.loading import load_front
from speechx.pipeline.masking import FLOOR_IN_SILENCE, Mask, RatioMask, RefinerMask, recording_mask
from speechx.task.plan import MaskedRecording

SAMPLES = Path(__file__).parents[3] / "speechx" / "assets" / "samples"


def whole(mask: Mask, estimate_T: np.ndarray) -> np.ndarray:
    return np.concatenate([mask.push(estimate_T), mask.close()])


def masked(recording_T: np.ndarray, estimate_T: np.ndarray) -> np.ndarray:
    return whole(RatioMask(recording_T, 16000), estimate_T)


@pytest.fixture(scope="module", params=["bands", "complex"])
def net(request: pytest.FixtureRequest) -> Refiner:
    """It has learned nothing, but its gains move."""
    torch.manual_seed(0)
    kinds = {
        "bands": RefinerConfig(width=24, fused=16),
        "complex": RefinerConfig(kind="complex", channels=8, heads=2, blocks=(1, 1), ahead=3, look=2),
    }
    net = make_refiner(kinds[request.param])
    last = "out" if request.param == "bands" else "wide"
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name == f"{last}.weight" or "film.weight" in name or "speaker.weight" in name:
                parameter.mul_(20)
        net.get_parameter(f"{last}.bias").zero_()
    return net.eval()


@pytest.fixture(scope="module")
def noisy_T() -> np.ndarray:
    return reading.read(SAMPLES / "noisy.flac")


def test_an_estimate_of_everything_changes_nothing(noisy_T: np.ndarray) -> None:
    assert np.abs(masked(noisy_T, noisy_T) - noisy_T).max() < 1e-5


def test_where_the_estimate_is_silent_so_is_the_output(noisy_T: np.ndarray) -> None:
    out_T = masked(noisy_T, 0 * noisy_T)
    assert np.abs(out_T - FLOOR_IN_SILENCE * noisy_T).max() < 1e-5
    assert not masked(0 * noisy_T, noisy_T).any(), "nothing is added"


def test_the_truth_takes_the_noise_away(noisy_T: np.ndarray) -> None:
    clean_T = reading.read(SAMPLES / "noisy_clean.flac")
    # Only its level in each band counts: with the sign turned it is the same mask.
    gained = si_sdr(masked(noisy_T, -clean_T), clean_T) - si_sdr(noisy_T, clean_T)
    assert gained > 4


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", ["rule", "net"])
def test_pieces_give_what_the_whole_gives(noisy_T: np.ndarray, net: Refiner, seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    recording_T = noisy_T[: int(rng.integers(1, 20000))]
    # The last frame of a codec reaches beyond the recording.
    estimate_T = 0.1 * rng.standard_normal(len(recording_T) + int(rng.integers(0, 640))).astype(np.float32)

    def mask() -> Mask:
        return (
            RatioMask(recording_T, 16000)
            if kind == "rule"
            else RefinerMask(recording_T, net, 3, torch.ones(net.config.voice_shape))
        )

    parted, pieces, at = mask(), [], 0
    while at < len(estimate_T):
        size = int(rng.integers(1, 3000))
        pieces.append(parted.push(estimate_T[at : at + size]))
        at += size
        assert sum(map(len, pieces)) >= min(at, len(estimate_T)) - 1280, "it may lag by 80 ms"
    pieces.append(parted.close())
    assert np.abs(np.concatenate(pieces) - whole(mask(), estimate_T)).max() < 1e-5
    assert sum(map(len, pieces)) == len(estimate_T)


def test_the_net_hears_what_it_was_trained_on(noisy_T: np.ndarray, net: Refiner) -> None:
    """Frames, look-ahead and level are those of `forward`; a louder recording gives the same, louder."""
    rng = np.random.default_rng(0)
    estimate_T = (0.1 * rng.standard_normal(len(noisy_T))).astype(np.float32)
    out_T = whole(RefinerMask(noisy_T, net, 2), estimate_T)
    window_T = torch.hann_window(512).sqrt()
    sounds_BT = torch.from_numpy(np.stack([noisy_T, estimate_T]) * np.float32(levels.standard_gain(noisy_T)))
    spectra = torch.stft(
        torch.nn.functional.pad(sounds_BT, (256, 512)), 512, 256, window=window_T, center=False, return_complex=True
    ).transpose(1, 2)  # fmt: skip
    with torch.inference_mode():
        output_MF = net(spectra[:1], spectra[1:], torch.tensor([0]), torch.zeros(1, *net.config.voice_shape))[
            0
        ]
    frames_MT = (torch.fft.irfft(output_MF) * window_T).numpy() / levels.standard_gain(noisy_T)
    expected_T = np.zeros(256 * len(frames_MT) + 256)
    for m, frame_T in enumerate(frames_MT):
        expected_T[256 * m : 256 * m + 512] += frame_T
    assert np.abs(expected_T[256 : 256 + len(out_T)] - out_T).max() < 1e-5
    louder_T = whole(RefinerMask(2 * noisy_T, net, 2), 2 * estimate_T)
    assert np.abs(louder_T - 2 * out_T).max() < 1e-4


def test_the_task_and_the_voice_are_heard(noisy_T: np.ndarray, net: Refiner) -> None:
    outputs = [whole(RefinerMask(noisy_T, net, slot), noisy_T) for slot in (2, 3, 4)]
    outputs.append(whole(RefinerMask(noisy_T, net, 3, torch.ones(net.config.voice_shape)), noisy_T))
    assert all(np.abs(a - b).max() > 1e-3 for i, a in enumerate(outputs) for b in outputs[:i])


def test_bands_of_the_net_cover_all_bins() -> None:
    assert np.allclose(to_bins(96, 257).sum(1), 1) and (to_bins(96, 257).sum(0) > 0).all()


def test_bands_cover_all_frequencies() -> None:
    bands_BF = htk_filters(16000, 512, 24)
    assert bands_BF.shape == (24, 257) and (bands_BF.sum(0)[1:-1] > 0).all() and bands_BF.max() <= 1


@pytest.mark.parametrize(
    ("recording", "target", "slot", "gain_db"),
    [
        ("noisy.flac", "noisy_clean.flac", 2, 6),
        ("mixture.flac", "mixture_target.flac", 3, 6),
        ("noisy.flac", "the rest", 4, 8),
    ],
)
def test_the_shipped_net_lets_through_what_is_wanted(
    recording: str, target: str, slot: int, gain_db: float
) -> None:
    frontend = load_front()
    assert frontend.refiner is not None
    recording_T = reading.read(SAMPLES / recording)
    speech = {2: "noisy_clean.flac", 3: target, 4: "noisy_clean.flac"}[slot]
    about = json.loads((SAMPLES / "samples.json").read_text("utf-8"))[recording.removesuffix(".flac")]
    speech_T = np.float32(about["reference_gain"]) * reading.read(SAMPLES / speech)
    target_T = recording_T - speech_T if slot == 4 else speech_T
    gain = levels.standard_gain(target_T)
    # A perfect language model's estimate: the truth, as far as the codec tells it.
    estimate_T = frontend.decode(frontend.encode(target_T * gain))[: len(target_T)] / gain
    voice_FK = frontend.voice_codes(SAMPLES / "enrollment.flac")[0] if slot == 3 else None
    mask = recording_mask(MaskedRecording(recording_T, slot, voice_FK), frontend)
    assert isinstance(mask, RefinerMask)
    out_T = whole(mask, estimate_T)[: len(recording_T)]
    assert si_sdr(out_T, target_T) - si_sdr(recording_T, target_T) > gain_db

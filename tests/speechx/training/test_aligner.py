"""The aligner: a small one trained on made-up codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from speechx.data.annotate.codes import TokenRow
from speechx.data.annotate.frame_labels import FrameLabels
from speechx.data.packs import PackRow
from speechx.models.aligner import Aligner, AlignerConfig
from speechx.models.codec.spectral import SpectralCodec
from speechx.text import Word
from speechx.training.aligner import AlignerTrainConfig, AlignerTrainer, train
from speechx.training.loop import TrainingRun
from tests.speechx.models.test_ctc import sequence


def utterance(number: int, language: str = "en") -> tuple[TokenRow, np.ndarray]:
    """Codes that tell the phone, and the true pointer. Every phone lasts 2-4 frames, and sounds of its language."""
    rng = np.random.default_rng((1, number))
    table = np.random.default_rng(2 if language == "en" else 3).integers(0, 1024, (20, 8))
    # No phone twice in a row: nothing in these codes would tell two from a long one.
    ids = [1, *(2 + np.cumsum(rng.integers(1, 12, int(rng.integers(6, 12)))) % 12).tolist(), 1]
    words = tuple(Word(f"w{i}", i, min(i + 2, len(ids) - 1)) for i in range(1, len(ids) - 1, 2))
    pointer_F = np.repeat(np.arange(len(ids)), rng.integers(2, 5, len(ids)))
    codes_FK = table[np.array(ids)[pointer_F]].astype(np.int16)
    row = PackRow(str(number), "x", "train", 0, 640 * len(codes_FK), "s", language, "x", None, None)
    return TokenRow(row, codes_FK, sequence(ids, words, language)), pointer_F


@pytest.fixture(scope="module")
def trained(codec: SpectralCodec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    config = AlignerTrainConfig(
        aligner=AlignerConfig.preset("tiny"), steps=200, batch_frames=600, lr=1e-2, warmup=10, log_every=50
    )
    out = tmp_path_factory.mktemp("aligner")
    train(config, [utterance(i)[0] for i in range(120)], [], codec, str(out))
    return out / "model"


def test_a_trained_aligner_finds_the_phones(trained: Path, codec: SpectralCodec) -> None:
    model, gaps, errors = Aligner.load(trained), [], []
    for number in range(200, 215):
        row, pointer_F = utterance(number)
        assert row.text is not None
        found = model.align(row.codes_FK, row.text, codec)
        phones = np.arange(len(row.text.ids))
        gaps.append(np.searchsorted(found.pointer_F, phones) - np.searchsorted(pointer_F, phones))
        assert found.pointer_F.shape == pointer_F.shape and (np.diff(found.pointer_F) >= 0).all()
        assert [w.text for w in found.words] == [w.text for w in row.text.words]
        times = [t for w in found.words for t in (w.start, w.end)]
        assert times == sorted(times) and times[0] >= 0 and times[-1] <= len(pointer_F) / 25
        errors.append(model.phone_errors(row.codes_FK, row.text, codec))
    assert np.mean(errors) < 0.25
    assert np.mean(np.abs(np.concatenate(gaps)) <= 1) > 0.9


def test_a_text_that_is_not_spoken_scores_worse(trained: Path, codec: SpectralCodec) -> None:
    model = Aligner.load(trained)
    row, _ = utterance(300)
    assert row.text is not None
    wrong = sequence([1, *((row.text.ids[1:-1] - 2 + 5) % 12 + 2).tolist(), 1])
    right_score = model.align(row.codes_FK, row.text, codec).score
    assert model.align(row.codes_FK, wrong, codec).score < right_score - 0.25
    assert model.phone_errors(row.codes_FK, wrong, codec) > 0.6


def test_too_many_phones_for_the_sound(trained: Path, codec: SpectralCodec) -> None:
    row, _ = utterance(301)
    with pytest.raises(ValueError, match=r"too many for 0\.20 s"):
        Aligner.load(trained).align(row.codes_FK[:5], sequence([2, 3] * 10), codec)


CHANGE = AlignerTrainConfig(rank=8, languages=("es",), steps=150, batch_frames=600, lr=2e-2, warmup=10)


def test_a_change_learns_another_language(trained: Path, codec: SpectralCodec, tmp_path: Path) -> None:
    rows = [utterance(number, language)[0] for number in range(120) for language in ("en", "es")]
    train(CHANGE, rows, [], codec, str(tmp_path), finished=Aligner.load(trained))
    assert (tmp_path / "model/model.safetensors").read_bytes() == (trained / "model.safetensors").read_bytes()
    before, after = Aligner.load(trained), Aligner.load(tmp_path / "model")

    def errors(model: Aligner, language: str) -> float:
        found = [utterance(number, language)[0] for number in range(200, 215)]
        return float(np.mean([model.phone_errors(r.codes_FK, r.text, codec) for r in found if r.text]))

    assert errors(after, "es") < 0.6 * errors(before, "es")
    assert errors(after, "en") == errors(before, "en"), "the others are heard as before"
    assert errors(Aligner.load(tmp_path / "model", adapter=False), "es") == errors(before, "es")
    row = utterance(300, "es")[0]
    fits = [model.fit(row.codes_FK, row.text.ids, "es", codec) for model in (before, after) if row.text]
    assert fits[1] > fits[0]


def test_known_times_are_learned_beside_ctc(trained: Path, codec: SpectralCodec, tmp_path: Path) -> None:
    """A finished aligner is continued; between the peaks of CTC its best phone is the labeled one."""
    made = [utterance(number) for number in range(60)]
    rows, labels = [row for row, _ in made], {}
    for row, pointer_F in made:
        assert row.text is not None
        spans = [(i, n / 25, (n + 1) / 25) for n, i in enumerate(row.text.ids[pointer_F].tolist())]
        labels["x", row.row.id] = FrameLabels(tuple(spans), ())
    config = AlignerTrainConfig(
        frame_weight=3.0, steps=60, batch_frames=600, lr=1e-2, warmup=5, shares={"en": 2.0}
    )
    before = Aligner.load(trained)
    after = train(config, rows, [], codec, str(tmp_path), start_from=Aligner.load(trained), labels=labels)
    assert after.adapted is None and not (tmp_path / "model/adapter.safetensors").exists()

    def right(model: Aligner) -> float:
        row, pointer_F = utterance(400)
        assert row.text is not None
        logp_HP = model.eval().posteriors(row.codes_FK, codec)
        return float((logp_HP[:, 1:].argmax(1) + 1 == np.repeat(row.text.ids[pointer_F], 2)).mean())

    assert right(after) > max(0.9, right(before))
    row = utterance(401)[0]
    assert row.text is not None and after.phone_errors(row.codes_FK, row.text, codec) < 0.25


def test_the_clock_ends_a_run(trained: Path, codec: SpectralCodec, tmp_path: Path) -> None:
    config = AlignerTrainConfig(anneal_minutes=0.01, steps=100000, batch_frames=600, log_every=1)
    rows = [utterance(number)[0] for number in range(20)]
    train(config, rows, [], codec, str(tmp_path), start_from=Aligner.load(trained))
    assert 0 < TrainingRun(tmp_path, None).load()["step"] < 1000


def test_only_an_aligner_of_the_same_codec_is_continued(
    trained: Path, codec: SpectralCodec, tmp_path: Path
) -> None:
    other, rows = Aligner.load(trained), [utterance(1)[0]]
    with pytest.raises(ValueError, match="either adapted"):
        train(CHANGE, rows, [], codec, str(tmp_path), finished=Aligner.load(trained), start_from=other)
    other.config = other.config.model_copy(update={"codec_hash": "another"})
    with pytest.raises(ValueError, match="of codec another"):
        train(AlignerTrainConfig(), rows, [], codec, str(tmp_path), start_from=other)


def test_a_change_that_is_not_the_config_s(trained: Path, codec: SpectralCodec, tmp_path: Path) -> None:
    short = CHANGE.model_copy(update={"steps": 2})
    train(short, [utterance(1, "es")[0]], [], codec, str(tmp_path), finished=Aligner.load(trained))
    path = tmp_path / "model/adapter.safetensors"
    tensors = load_file(path)
    tensors["out.1.weight.up"][0, 0] += 1
    save_file(tensors, path)
    with pytest.raises(ValueError, match=r"adapter\.safetensors does not match the hash"):
        Aligner.load(tmp_path / "model")
    path.unlink()
    with pytest.raises(ValueError, match=r"adapter\.safetensors is missing"):
        Aligner.load(tmp_path / "model")
    with pytest.raises(ValueError, match="--adapt"):
        train(short, [utterance(1, "es")[0]], [], codec, str(tmp_path))
    with pytest.raises(ValueError, match="no utterance"):
        train(short, [utterance(1)[0]], [], codec, str(tmp_path), finished=Aligner.load(trained))


def test_no_text_no_training(codec: SpectralCodec, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs transcripts"):
        train(AlignerTrainConfig(), [], [], codec, str(tmp_path))


def test_a_grown_aligner_says_the_same_until_it_is_trained(
    trained: Path, codec: SpectralCodec, tmp_path: Path
) -> None:
    model, (row, _) = Aligner.load(trained), utterance(400)
    deeper = model.grown(5).eval()
    assert deeper.config.blocks == 5 and len(deeper.at_25hz) == 3 and len(deeper.at_50hz) == 2
    before = model.posteriors(row.codes_FK, codec)
    np.testing.assert_allclose(deeper.posteriors(row.codes_FK, codec), before, atol=1e-4)
    config = AlignerTrainConfig(steps=3, batch_frames=600, warmup=1, blocks=5, masks=1.0)
    rows = [utterance(number)[0] for number in range(20)]
    train(config, rows, [], codec, str(tmp_path), start_from=Aligner.load(trained))
    after = Aligner.load(tmp_path / "model")
    assert after.config.blocks == 5 and all(block.scale_C.any() for block in (*after.at_25hz, *after.at_50hz))


def test_an_aligner_does_not_shrink(trained: Path) -> None:
    with pytest.raises(ValueError, match="cannot grow to 0"):
        Aligner.load(trained).grown(0)


@pytest.mark.parametrize(("blocks", "steps"), [(1, 2), (6, 2), (7, 2), (7, 1), (9, 3)])
def test_the_context_is_all_that_a_phone_depends_on(blocks: int, steps: int) -> None:
    config = AlignerConfig.preset("tiny", blocks=blocks, steps=steps, latent_dim=8)
    model = Aligner(config).double()
    latent_BFD = torch.randn(1, 101, 8, dtype=torch.float64, requires_grad=True)
    x = latent_BFD
    for part in (model.enter, *model.at_25hz, model.to_50hz, *model.at_50hz):
        x = part(x)
    x[0, 50 * steps : 51 * steps].sum().backward()
    assert latent_BFD.grad is not None
    reached = latent_BFD.grad[0].abs().sum(-1).nonzero()[:, 0]
    assert (int(reached.min()), int(reached.max())) == (50 - config.context, 50 + config.context)


def test_blocks_are_for_a_net_that_grows(codec: SpectralCodec, tmp_path: Path) -> None:
    config = AlignerTrainConfig(steps=1, blocks=9)
    with pytest.raises(ValueError, match="--start-from"):
        train(config, [utterance(0)[0]], [], codec, str(tmp_path))


@pytest.mark.parametrize("field", [{"masks": -1.0}, {"mask_frames": 0}])
def test_masks_that_are_none(field: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(field))):
        AlignerTrainConfig.model_validate(field)


def test_masked_frames_are_a_share_of_all(codec: SpectralCodec) -> None:
    trainer = AlignerTrainer(
        AlignerTrainConfig(aligner=AlignerConfig.preset("tiny"), masks=1.0, mask_frames=5), codec
    )
    heard_BF = trainer._heard(400, 1000)[..., 0]
    assert heard_BF.shape == (400, 1000)
    share = (1 - 1 / 25) ** 5  # no stretch begins at a frame or at one of the four before
    assert heard_BF.mean() == pytest.approx(share, abs=0.01)
    assert heard_BF[:, 0].mean() == pytest.approx(share, abs=0.1)

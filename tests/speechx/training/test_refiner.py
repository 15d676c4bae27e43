"""The net that masks: examples by a language model, a few steps of training, and its files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from speechx.data.noises import one_sound
from speechx.data.refiner_examples import make_estimates, read_estimates
from speechx.data.synthetic import synthetic_pack
from speechx.errors import InputError
from speechx.models.aligner import Aligner, AlignerConfig
from speechx.models.codec.config import SpectralConfig
from speechx.models.codec.folder import load_codec, save_codec
from speechx.models.codec.spectral import SpectralCodec
from speechx.models.lm.config import LMConfig
from speechx.models.lm.folder import save_model
from speechx.models.lm.model import CodecLMCore
from speechx.models.refiner import RefinerConfig, load_refiner, make_refiner
from speechx.models.refiner.complex import ComplexRefiner
from speechx.pipeline import loading
from speechx.pipeline.loading import load_pipeline
from speechx.training.loop import TrainingRun
from speechx.training.refiner import RefinerTrainer, train
from speechx.training.refiner_data import Mixtures, RefinerBatch, RefinerShares
from speechx.training.refiner_recipe import RefinerTrainConfig
from speechx.training.refiner_voices import learn_voices

TASKS = ("noise_suppression", "target_speaker_extraction", "speech_removal")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model that knows nothing, a pack of made-up voices, and two examples of each task."""
    root = tmp_path_factory.mktemp("mask")
    torch.manual_seed(0)
    save_codec(SpectralCodec.from_config(SpectralConfig.preset("tiny")), root / "model/codec")
    codec = load_codec(root / "model/codec")
    Aligner(AlignerConfig.preset("tiny", codec_hash=codec.hash)).save(root / "model/aligner")
    lm = CodecLMCore(LMConfig.preset("tiny", codec_name=codec.name, codec_hash=codec.hash))
    save_model(lm, root / "model/lm")
    pack = synthetic_pack(root / "pack", utterances=24, speakers=4, noises=4, words=5)
    pipeline = load_pipeline(root / "model", slots=2)
    for task in TASKS:
        make_estimates(pack, pipeline, root / "examples", task=task, count=2)
    return {"model": root / "model", "pack": pack, "examples": root / "examples"}


def test_examples(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    examples = read_estimates(folders["examples"])
    assert sorted(example.task for example in examples) == sorted(2 * TASKS)
    for example in examples:
        sounds = (example.recording_T, example.other_T, example.target_T, example.estimate_T)
        assert len({len(wav_T) for wav_T in sounds}) == 1 and len(example.recording_T) > 16000
        assert np.abs(example.estimate_T).max() > 0
        assert (example.voice_FK is not None) == (example.task == "target_speaker_extraction")
        if example.task == "speech_removal":
            assert np.array_equal(example.target_T, example.other_T)
    # Those that are there are kept, and more are added.
    pipeline = load_pipeline(folders["model"], slots=2)
    make_estimates(folders["pack"], pipeline, folders["examples"], task=TASKS[0], count=3)
    more = read_estimates(folders["examples"])
    assert len(more) == 7 and any(np.array_equal(examples[0].estimate_T, m.estimate_T) for m in more)
    with pytest.raises(InputError, match="the recipe's codec is another"):
        read_estimates(folders["examples"], "another")
    # A line that a full disk cut off has no other one behind it.
    index = next(folders["examples"].glob(f"{TASKS[0]}*.jsonl"))
    index.write_text(index.read_text() + '{"index": 9, "ta')
    make_estimates(folders["pack"], pipeline, folders["examples"], task=TASKS[0], count=4)
    assert len(read_estimates(folders["examples"])) == 8


def test_estimates_that_are_not_there(folders: dict[str, Path], tmp_path: Path) -> None:
    codec = load_codec(folders["model"] / "codec")
    with pytest.raises(InputError, match="has no examples of `speechx data estimate`"):
        train(recipe(), str(folders["pack"]), str(tmp_path), codec, str(tmp_path / "out"))


def recipe(**changes: object) -> RefinerTrainConfig:
    facts = {
        "net": RefinerConfig(width=32, fused=32), "shares": RefinerShares(rooms=0), "steps": 6, "batch": 4, "seconds": 1.0,
        "warmup": 2, "lr": 5e-3, "log_every": 2,
    }  # fmt: skip
    return RefinerTrainConfig(**(facts | changes))


@pytest.mark.parametrize(
    "shape", [{"width": 32, "fused": 32}, {"kind": "complex", "channels": 8, "heads": 2}]
)
def test_it_learns(folders: dict[str, Path], shape: dict[str, Any]) -> None:
    codec = load_codec(folders["model"] / "codec")
    config = recipe(net=RefinerConfig(**shape).for_codec(codec))
    examples = read_estimates(folders["examples"])
    mixtures = Mixtures(str(folders["pack"]), examples, codec, config.net, config.shares, 1.0)
    trainer = RefinerTrainer(config)
    batch = mixtures.batch(3, np.random.default_rng(0))
    losses = [float(trainer.train_step(batch, 0.3, np.random.default_rng(0)).mean()) for _ in range(16)]
    assert losses[-1] < 0.8 * losses[0]


def test_the_wanted_speaker_may_be_absent(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the answer is silence, and the voice that is asked for is that of somebody else."""
    codec = load_codec(folders["model"] / "codec")
    net = RefinerConfig(kind="complex").for_codec(codec)
    only = {"noise_suppression": 0, "speech_removal": 0, "fresh": 1.0, "rooms": 0}
    asked: list[str] = []
    there: list[set[str]] = []
    voice, another = Mixtures._voice, Mixtures._another_voice
    monkeypatch.setattr(
        Mixtures, "_voice", lambda self, speaker, rng: asked.append(speaker) or voice(self, speaker, rng)
    )

    def recorded(self: Mixtures, mixed: Any, rng: np.random.Generator) -> np.ndarray:
        there.append({mixed.cut.speaker, mixed.meta["interferer"]})
        return another(self, mixed, rng)

    monkeypatch.setattr(Mixtures, "_another_voice", recorded)
    for absent in (0.0, 1.0):
        asked.clear()
        shares = RefinerShares(**only, absent=absent)
        mixtures = Mixtures(str(folders["pack"]), [], codec, net, shares, 1.0)
        batch = mixtures.batch(6, np.random.default_rng(1))
        assert np.abs(batch.recording_BT).max(1).min() > 0.01
        assert (np.abs(batch.target_BT).max() == 0) == (absent == 1.0)
        assert batch.voice_BV.shape == (6, *net.voice_shape)
    assert len(asked) == len(there) == 6
    assert all(speaker not in speakers for speaker, speakers in zip(asked, there, strict=True))


def test_it_may_first_learn_to_tell_speakers(folders: dict[str, Path], tmp_path: Path) -> None:
    codec = load_codec(folders["model"] / "codec")
    net = RefinerConfig(kind="complex", channels=8, heads=2)
    config = recipe(net=net, voice_steps=30, steps=1)
    pack = synthetic_pack(tmp_path / "pack", utterances=48, speakers=8, noises=2, words=4)
    mixtures = Mixtures(str(pack), [], codec, net.for_codec(codec), config.shares, 1.0)
    untaught = make_refiner(net.for_codec(codec))
    assert isinstance(untaught, ComplexRefiner)
    other = {name: value.clone() for name, value in untaught.state_dict().items()}
    assert learn_voices(untaught, mixtures, 30, seed=1) > 0.5, "of four or more, by chance a quarter"
    changed = {
        name.split(".")[0] for name, value in untaught.state_dict().items() if (value != other[name]).any()
    }
    assert changed == {"voice", "speaker"}

    sources = str(pack), str(folders["examples"]), codec
    train(config, *sources, str(tmp_path / "complex"))
    with pytest.raises(ValueError, match="four speakers with two utterances"):
        train(config, str(folders["pack"]), *sources[1:], str(tmp_path / "few"))
    with pytest.raises(ValueError, match="voice_steps is for nets of kind complex"):
        train(recipe(voice_steps=1), *sources, str(tmp_path / "bands"))


def test_it_resumes_exactly(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = load_codec(folders["model"] / "codec")
    sources = recipe(), str(folders["pack"]), str(folders["examples"]), codec
    train(*sources, str(tmp_path / "whole"))
    asked = iter([False] * 3 + [True])
    monkeypatch.setattr(TrainingRun, "out_of_time", lambda self: next(asked))
    train(*sources, str(tmp_path / "parted"))
    monkeypatch.undo()
    train(*sources, str(tmp_path / "parted"), resume=True)
    assert float(torch.tensor(1e-40) * 0.5) > 0  # small numbers are numbers again
    whole, parted = (load_refiner(tmp_path / name / "model").state_dict() for name in ("whole", "parted"))
    assert all(torch.equal(whole[name], parted[name]) for name in whole)
    assert len(whole["gru.weight_hh_l0"].unique()) < 64, "on a grid"


def test_a_change_for_one_task(folders: dict[str, Path], tmp_path: Path) -> None:
    """A finished net's file stays as it is, and so does what it gives of the other tasks."""
    codec = load_codec(folders["model"] / "codec")
    sources = str(folders["pack"]), str(folders["examples"]), codec
    train(recipe(), *sources, str(tmp_path / "first"))
    finished = tmp_path / "first/model"
    only = RefinerShares(noise_suppression=0, target_speaker_extraction=0, speech_removal=1, rooms=0)
    change = recipe(rank=2, slots=(4,), shares=only, weight_decay=0.0, sound=3.0)
    trained = train(change, *sources, str(tmp_path / "second"), finished=str(finished))
    made = tmp_path / "second/model"
    assert (made / "model.safetensors").read_bytes() == (finished / "model.safetensors").read_bytes()

    net, plain = load_refiner(made), load_refiner(finished)
    assert (
        net.for_slot(2) is net
        and net.for_slot(4) is not net
        and not load_refiner(made, adapter=False).adapted
    )
    told = torch.tensor([2]), torch.zeros(1, *net.config.voice_shape)
    sound_BMF = torch.randn(1, 40, 257, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        before, beside, after, learned = (
            n(sound_BMF, 0.5 * sound_BMF, *told) for n in (plain, net, net.for_slot(4), trained)
        )
    assert torch.equal(before, beside) and (after - before).abs().max() > 1e-3
    # On a grid, the change is nearly the one that was learned; its recurrent layers are changed, too.
    assert (after - learned).abs().mean() < 0.5 * (after - before).abs().mean()
    assert not torch.equal(net.for_slot(4).gru.weight_hh_l0, net.gru.weight_hh_l0)

    for changed, start, says in (
        (change, None, "needs a finished net"),
        (recipe(), finished, "needs a finished net"),
        (recipe(rank=2, slots=(1,)), finished, "not among the net's"),
    ):
        with pytest.raises(ValueError, match=says):
            train(changed, *sources, str(tmp_path / "third"), finished=start and str(start))
    other = RefinerShares(speech_removal=0, target_speaker_extraction=0, rooms=0)
    with pytest.raises(
        InputError, match=r"an adapter for task slots \[4\], which the new one would replace; add them"
    ):
        train(recipe(rank=2, slots=(2,), shares=other), *sources, str(tmp_path / "third"), finished=str(made))
    (made / "adapter.safetensors").unlink()
    with pytest.raises(ValueError, match=r"adapter\.safetensors is missing"):
        load_refiner(made)


def test_both_speakers_of_a_mixture_may_be_wanted_in_turn(folders: dict[str, Path]) -> None:
    codec = load_codec(folders["model"] / "codec")
    net = RefinerConfig(kind="complex").for_codec(codec)
    shares = RefinerShares(noise_suppression=0, speech_removal=0, fresh=1.0, rooms=0, both=1.0)
    mixtures = Mixtures(str(folders["pack"]), [], codec, net, shares, 1.0)
    batch = mixtures.batch(12, np.random.default_rng(1))
    pairs = [
        (one, one + 1)
        for one in range(11)
        if np.allclose(batch.recording_BT[one], batch.recording_BT[one + 1])
    ]
    assert len(pairs) > 1
    for one, other in pairs:
        assert np.allclose(batch.target_BT[one] + batch.target_BT[other], batch.recording_BT[one], atol=1e-5)
        assert (batch.voice_BV[one] != batch.voice_BV[other]).any()


def test_a_model_folder_may_have_one(
    folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folders["model"]
    without = loading.weights_hash(folder)
    assert loading.load_front(folder).refiner is None
    codec = load_codec(folder / "codec")
    net = make_refiner(
        RefinerConfig(width=8, fused=8, voice_dim=2 * codec.config.latent_dim, codec_hash=codec.hash)
    )
    net.save(folder / "mask")
    assert loading.load_front(folder).refiner is not None and loading.weights_hash(folder) != without
    pipeline = load_pipeline(folder)
    noise_T = 0.1 * np.random.default_rng(0).standard_normal(16000).astype(np.float32)
    made = [
        pipeline.speak(pipeline.job("speech_removal", audio=(noise_T, 16000), stream=stream, seed=1)).wav_T
        for stream in (False, True)
    ]
    assert len(made[0]) == 16000 and np.abs(made[0] - made[1]).max() < 1e-5
    assert np.corrcoef(made[0], noise_T)[0, 1] > 0.9, "untrained, it lets the recording through"

    file, facts = folder / "mask/model.safetensors", folder / "mask/config.json"
    told = facts.read_text()
    for says, spoil in {
        "does not match the hash": lambda: file.write_bytes(file.read_bytes()[:-2] + b"\0\1"),
        "trained on codec 0123": lambda: make_refiner(
            net.config.model_copy(update={"codec_hash": "0123"})
        ).save(folder / "mask"),
        "has format 7": lambda: facts.write_text(json.dumps(json.loads(told) | {"format": 7})),
        "is not valid JSON": lambda: facts.write_text("{"),
    }.items():
        spoil()
        with pytest.raises(InputError, match=says):
            loading.load_front(folder)
        net.save(folder / "mask")


@pytest.mark.parametrize("stream", [False, True])
def test_of_several_masks_the_mean_is_heard(folders: dict[str, Path], tmp_path: Path, stream: bool) -> None:
    """12 s are two windows; each try of each has a seed of its own, so the mean of single tries is known."""
    shutil.copytree(folders["model"], tmp_path / "model")
    codec = load_codec(tmp_path / "model/codec")
    config = RefinerConfig(width=8, fused=8, voice_dim=2 * codec.config.latent_dim, codec_hash=codec.hash)
    net = make_refiner(config)
    torch.nn.init.constant_(net.out.bias[config.bands :], 1.0)  # much of what is generated is heard
    net.save(tmp_path / "model/mask")
    pipeline = load_pipeline(tmp_path / "model", slots=4)
    noise_T = 0.1 * np.random.default_rng(0).standard_normal(12 * 16000).astype(np.float32)

    def made(seed: int, best_of: int) -> np.ndarray:
        fields = {"audio": (noise_T, 16000), "seed": seed, "best_of": best_of, "stream": stream}
        return pipeline.speak(pipeline.job("noise_suppression", **fields)).wav_T

    one, other = made(5, 1), made(5 + 104_729, 1)
    both = made(5, 2)
    assert len(both) == len(noise_T) and np.abs(one - other).max() > 1e-3
    whole_T = np.maximum(np.abs(one), np.abs(other)) < 1  # not clipped
    assert whole_T.mean() > 0.9 and np.abs(both - (one + other) / 2)[whole_T].max() < 1e-4
    with pytest.raises(InputError, match="best_of is 5"):
        made(5, 5)


@pytest.mark.parametrize("seed", range(4))
def test_one_short_sound_in_silence(seed: int) -> None:
    rng = np.random.default_rng(seed)
    noise_T = (0.01 * rng.standard_normal(48000)).astype(np.float32)
    noise_T[20000] = 1.0  # the moment that is kept, unless it falls on a fade
    sound_T = one_sound(noise_T, 16000, rng)
    loud = np.flatnonzero(sound_T)
    assert sound_T.shape == noise_T.shape and sound_T.dtype == np.float32
    assert 1500 <= loud[-1] - loud[0] <= 0.8 * 16000
    assert np.abs(sound_T).max() > 0.02


def test_short_sounds_are_seldom_generated(folders: dict[str, Path]) -> None:
    """So the net learns to do without an estimate of them; other estimates are silent as often as ever."""
    codec = load_codec(folders["model"] / "codec")
    only = {
        "noise_suppression": 0,
        "target_speaker_extraction": 0,
        "rooms": 0,
        "fresh": 1,
        "nothing": 0,
        "unheard": 1,
    }

    def batch(short: float) -> RefinerBatch:
        mixtures = Mixtures(
            str(folders["pack"]),
            [],
            codec,
            RefinerConfig().for_codec(codec),
            RefinerShares(**only, short=short),
            4.0,
        )
        return mixtures.batch(8, np.random.default_rng(3))

    assert batch(0.0).missing_B.sum() > 4  # one of the noises of this pack is clicks
    short = batch(1.0)
    assert not short.missing_B.any() and not short.estimate_BT.any() and short.target_BT.any()


def test_examples_of_short_sounds(folders: dict[str, Path], tmp_path: Path) -> None:
    pipeline = load_pipeline(folders["model"], slots=2)
    make_estimates(folders["pack"], pipeline, tmp_path, task="speech_removal", count=2, short=1.0)
    for example in read_estimates(tmp_path):
        assert 0 < np.count_nonzero(example.target_T) <= 0.8 * 16000

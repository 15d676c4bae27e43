"""The language model: it learns, its parts agree with plain versions of themselves, and its numbers stay."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from speechx.engine.engine import Engine
from speechx.engine.sampling import SamplingParams
from speechx.models.lm.batch import LMBatch, TrainExample, collate
from speechx.models.lm.config import LMConfig
from speechx.models.lm.model import CodecLMCore
from speechx.models.lm.prompt import Frames, Prompt, Text, TextTrack, Token, pack
from speechx.models.lm.transformer import EmbeddingSum, causal_attention
from speechx.tasks.noise_suppression import NS

GOLDEN = Path(__file__).parents[3] / "golden" / "lm.json"


def examples(frames: int = 12) -> list[TrainExample]:
    """A spoken text with a voice, and a recording to be cleaned."""
    rng = np.random.default_rng(0)
    phones, voice, noisy = (
        rng.integers(2, 60, 9),
        rng.integers(0, 1024, (5, 8)),
        rng.integers(0, 1024, (frames, 8)),
    )
    spoken = Prompt(0, (Frames(voice), Text(phones, "en")), TextTrack(phones, 0, 9))
    clean = Prompt(2, (Token(NS), Frames(noisy, aligned=True)), track_codes_FK=noisy, frames=frames)
    pointer = np.minimum(np.arange(frames) * 9 // frames, 8)
    return [
        TrainExample(pack(spoken), rng.integers(0, 1024, (frames, 8)), pointer),
        TrainExample(pack(clean), rng.integers(0, 1024, (frames, 8))),
    ]


def fill(core: CodecLMCore) -> CodecLMCore:
    """Weights that are the same on every machine and for every torch."""
    with torch.no_grad():
        for i, (_, parameter) in enumerate(sorted(core.named_parameters())):
            wave = torch.arange(parameter.numel(), dtype=torch.float64) * (0.7 + 0.01 * i) + i
            parameter.copy_((0.3 * torch.sin(wave * wave % 1000.0)).view_as(parameter))
        core.embed.weight[0] = 0
    return core.eval()


def test_it_learns_and_says_what_it_learned() -> None:
    torch.manual_seed(0)
    core = CodecLMCore(LMConfig.preset("tiny", local_fraction=1.0))
    pairs = examples()
    batch = collate(pairs, core.shape)
    optimizer = torch.optim.AdamW(core.parameters(), lr=5e-3, betas=(0.9, 0.95))
    loss = torch.inf
    for _ in range(150):
        out = core(batch)
        optimizer.zero_grad()
        out.loss.backward()
        optimizer.step()
        loss = out.loss.item()
        if loss < 0.03:
            break
    assert loss < 0.1, f"the loss stays at {loss:.2f}"
    engine = Engine(core.eval(), slots=2)
    said: dict[int, list[np.ndarray]] = {engine.add(p.packed, SamplingParams(greedy=True)): [] for p in pairs}
    while engine.has_work:
        for emission in engine.step():
            said[emission.id].append(emission.codes_FK)
    for codes, pair in zip(said.values(), pairs, strict=True):
        np.testing.assert_array_equal(np.concatenate(codes), pair.target_FK)


def test_copying_starts_as_no_change_and_is_learned() -> None:
    """Random frames that the target repeats: without the copy path this many steps do not find the rule."""
    rng = np.random.default_rng(0)

    def batch(config: LMConfig) -> LMBatch:
        noisy = rng.integers(0, 1024, (40, 8))
        prompt = Prompt(2, (Token(NS), Frames(noisy, aligned=True)), track_codes_FK=noisy, frames=40)
        return collate([TrainExample(pack(prompt), noisy)], config)

    torch.manual_seed(0)
    plain = CodecLMCore(LMConfig.preset("tiny", local_fraction=1.0))
    core = CodecLMCore(LMConfig.preset("tiny", local_fraction=1.0, copies=True))
    missing, unknown = core.load_state_dict(plain.state_dict(), strict=False)
    assert not unknown and all(name.startswith("copy.") for name in missing)
    probe = batch(core.shape)
    assert core(probe).loss.item() == pytest.approx(plain(probe).loss.item(), abs=1e-5)
    optimizer = torch.optim.AdamW(core.parameters(), lr=1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        core(batch(core.shape)).loss.backward()
        optimizer.step()
    metrics = core(batch(core.shape)).metrics
    assert metrics["ce_1"] < 1 and metrics["ce_8"] < 1, "frames that were never seen are not copied"


def test_padding_and_neighbors_change_nothing() -> None:
    core = fill(CodecLMCore(LMConfig.preset("tiny")))
    short, long = examples(frames=6)[0], examples(frames=14)[1]
    with torch.no_grad():
        together = core.hidden(collate([short, long], core.shape))
        alone = [core.hidden(collate([e], core.shape)) for e in (short, long)]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-4, rtol=1e-4)


def test_no_step_sees_its_own_frame_or_a_later_one() -> None:
    core = fill(CodecLMCore(LMConfig.preset("tiny")))
    pairs = examples()[:1]
    before = core.hidden(collate(pairs, core.shape))
    changed = TrainExample(pairs[0].packed, pairs[0].target_FK.copy(), pairs[0].pointer_F)
    changed.target_FK[5:] = 0
    after = core.hidden(collate([changed], core.shape))
    torch.testing.assert_close(before[:6], after[:6])
    assert not torch.allclose(before[6], after[6])


def test_the_gradient_of_summed_rows_is_that_of_plain_ones() -> None:
    table = torch.randn(50, 8, requires_grad=True)
    ids = torch.randint(0, 50, (30, 5))
    grad = torch.randn(30, 8)
    (EmbeddingSum.apply(table, ids) * grad).sum().backward()
    ours, table.grad = table.grad, None
    ((table[ids] * (ids > 0)[..., None]).sum(1) * grad).sum().backward()
    torch.testing.assert_close(ours, table.grad)


def test_half_width_attention_is_attention() -> None:
    q, k, v = torch.randn(3, 2, 4, 20, 16)
    half = causal_attention(*(x.bfloat16() for x in (q, k, v))).float()
    torch.testing.assert_close(half, causal_attention(q, k, v), atol=0.05, rtol=0.05)


def test_autocast_training_step() -> None:
    core = CodecLMCore(LMConfig.preset("tiny", local_fraction=0.5, dropout=0.1)).train()
    with torch.autocast("cpu", torch.bfloat16):
        out = core(collate(examples(), core.shape))
    out.loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in core.parameters())
    assert {"ce_1", "ce_8", "acc_1", "advance_ce", "advance_acc"} <= set(out.metrics)
    assert 6 < out.metrics["ce_1"] < 8


@pytest.mark.parametrize(
    ("preset", "low", "high"),
    [
        ("tiny", 1e6, 1.5e6),
        ("mini", 20e6, 26e6),
        ("small", 35e6, 48e6),
        ("base", 130e6, 170e6),
        ("large", 470e6, 580e6),
    ],
)
def test_sizes(preset: str, low: float, high: float) -> None:
    config = LMConfig.preset(preset, max_positions=64)
    with torch.device("meta"):
        core = CodecLMCore(config, draw=False)
        count = sum(p.numel() for p in core.parameters())
        assert low < count < high, f"{preset} has {count / 1e6:.1f} M parameters"
        batch = collate(examples(), config)
        batch = batch.to("meta")
        h_ND = core.hidden(batch)
        local = core.local_logits(h_ND, torch.zeros(len(h_ND), 8, dtype=torch.int64))
    assert h_ND.shape == (24, config.dim) and local.shape == (7, 24, 1024)


def test_golden_numbers() -> None:
    """A change of these numbers is a change of what trained weights mean: raise checkpoint.FORMAT with it."""
    config = LMConfig.preset("tiny", dim=32, heads=2, ffn_dim=64, local_fraction=1.0)
    core = fill(CodecLMCore(config))
    with torch.no_grad():
        out = core(collate(examples(), config))
    wanted = json.loads(GOLDEN.read_text())
    got = {"loss": out.loss.item(), **{k: v.item() for k, v in out.metrics.items()}}
    assert got == pytest.approx(wanted, rel=1e-4, abs=1e-5)

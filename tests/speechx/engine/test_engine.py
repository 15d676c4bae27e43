"""The engine: cached decoding equals the training forward, batching changes nothing, ends and bounds hold."""

import numpy as np
import pytest
import torch

from speechx.engine.engine import Engine, StepOutput
from speechx.engine.packed_linear import Precision
from speechx.engine.sampling import SamplingParams
from speechx.models.lm.batch import TrainExample, collate
from speechx.models.lm.prompt import (
    Frames,
    Prompt,
    Text,
    TextTrack,
    Token,
    pack,
    unconditional,
)
from speechx.tasks.noise_suppression import NS
from tests.helpers.engines import GREEDY, aligned_prompt, codes_of, make_core, run, text_prompt


@pytest.mark.parametrize("copies", [False, True])
@pytest.mark.parametrize("make", [text_prompt, aligned_prompt])
def test_cached_decoding_agrees_with_the_training_forward(make, copies: bool) -> None:  # type: ignore[no-untyped-def]
    core, packed = make_core(copies), make(3)
    engine = Engine(core, slots=2, precision="float32")
    id = engine.add(packed, GREEDY)
    outputs = run(engine)[id]
    codes_FK = codes_of(outputs)
    pointer_F = np.concatenate([e.pointer_F for e in outputs]) if packed.track else None
    batch = collate([TrainExample(packed, codes_FK, pointer_F)], core.shape)
    with torch.no_grad():
        h_ND = core.hidden(batch)
        target_NG = batch.target_codes_BTG[0][batch.target_index_N]
        track_NG = core.track_codes(batch)
        first = core.first_logits(h_ND, track_NG).argmax(-1)
        local = core.local_logits(h_ND, target_NG, track_NG).argmax(-1).T
        advance = core.advance_head(h_ND).argmax(-1)
    counts = target_NG >= 0
    wanted = torch.cat([first[:, None], local], dim=1)
    assert (wanted == target_NG)[counts].all()
    if pointer_F is not None:
        moved = torch.from_numpy(np.diff(pointer_F))
        assert torch.equal(advance[: len(moved)], moved.long())


@pytest.mark.parametrize("fine", [1.0, 3.0])
@pytest.mark.parametrize(
    ("make", "knows"), [(text_prompt, "frames"), (aligned_prompt, "frames"), (aligned_prompt, "recording")]
)
def test_guidance_pushes_codes_away_from_what_speech_suggests(make, knows: str, fine: float) -> None:  # type: ignore[no-untyped-def]
    """With "recording", away from what the recording's frame of the moment suggests without the rest of the prompt."""
    core, prompt = make_core(dropout=0.1, copies=True), make(3)
    engine = Engine(core, slots=2, precision="float32")
    params = SamplingParams(
        greedy=True, max_frames=12, guidance=2.0, fine_guidance=fine, guidance_knows=knows
    )
    id = engine.add(prompt, params)
    outputs = run(engine)[id]
    codes_FK = codes_of(outputs)
    pointer_F = np.concatenate([e.pointer_F for e in outputs]) if prompt.track else None
    before_K = None if prompt.previous_G is None else prompt.previous_G[-8:]
    known = Prompt(0, (), previous_K=before_K)
    if knows == "recording":
        heard_FK = prompt.track_codes_TG.reshape(-1, 8)[: prompt.frames]
        known = Prompt(2, (Token(NS),), track_codes_FK=heard_FK, previous_K=before_K)
    nothing = pack(unconditional(known, len(codes_FK)))
    codes_NG = torch.from_numpy(codes_FK.astype(np.int64))
    first, others = [], []
    with torch.no_grad():
        for example in (TrainExample(prompt, codes_FK, pointer_F), TrainExample(nothing, codes_FK)):
            batch = collate([example], core.shape)
            h_ND, track_NG = core.hidden(batch), core.track_codes(batch)
            first.append(core.first_logits(h_ND, track_NG))
            others.append(core.local_logits(h_ND, codes_NG, track_NG))
    guided = (first[1] + 2 * (first[0] - first[1])).argmax(-1)
    assert torch.equal(guided, codes_NG[:, 0])
    assert (first[0].argmax(-1) != guided).any(), "guidance changed nothing"
    wanted_NG = (others[1] + fine * (others[0] - others[1])).argmax(-1).T
    known_NG = codes_NG[:, 1:] >= 0  # the last group may not be full
    assert torch.equal(wanted_NG[known_NG], codes_NG[:, 1:][known_NG])
    assert fine == 1 or (wanted_NG != others[0].argmax(-1).T).any(), "guidance of the others changed nothing"


def test_a_model_that_cannot_be_guided_is_not() -> None:
    said = []
    for guidance in (1.0, 3.0):
        engine = Engine(make_core(), slots=1, precision="float32")
        engine.add(text_prompt(3), SamplingParams(greedy=True, max_frames=12, guidance=guidance))
        said.append(codes_of(run(engine)[0]))
    np.testing.assert_array_equal(*said)


def test_a_model_that_never_heard_a_recording_alone_is_not_guided_by_it() -> None:
    core = make_core(dropout=0.1)
    core.shape = core.shape.model_copy(update={"recording_dropout": 0.0})
    said = []
    for guidance in (1.0, 3.0):
        engine = Engine(core, slots=1, precision="float32")
        params = SamplingParams(greedy=True, max_frames=12, guidance=guidance, guidance_knows="recording")
        engine.add(aligned_prompt(3), params)
        said.append(codes_of(run(engine)[0]))
    np.testing.assert_array_equal(*said)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("greedy", [True, False])
def test_a_request_is_the_same_alone_and_in_a_batch(precision: Precision, greedy: bool) -> None:
    core = make_core(copies=greedy, dropout=0.1)
    prompts = [text_prompt(i) if i % 2 else aligned_prompt(i) for i in range(6)]
    params = [
        SamplingParams(
            greedy=greedy,
            seed=i,
            max_frames=12,
            guidance=1.5 if i < 4 else 1.0,
            fine_guidance=1 + i % 3,
            guidance_knows="recording" if i % 4 == 2 else "frames",
        )
        for i in range(6)
    ]
    alone = []
    for prompt, param in zip(prompts, params, strict=True):
        engine = Engine(core, slots=1, precision=precision)
        engine.add(prompt, param)
        alone.append(codes_of(run(engine)[0]))
    engine = Engine(core, slots=4, precision=precision)
    together: dict[int, list[StepOutput]] = {}
    for i in range(6):
        engine.add(prompts[i], params[i])
        for output in engine.step() if i < 4 else ():  # joins at different moments
            together.setdefault(output.id, []).append(output)
    for id, outputs in run(engine).items():
        together.setdefault(id, []).extend(outputs)
    for i in range(6):
        np.testing.assert_array_equal(codes_of(together[i]), alone[i])


def test_a_known_voice_is_not_prefilled_again_and_changes_nothing() -> None:
    engine = Engine(make_core(), slots=2, precision="float32")
    first = engine.add(text_prompt(1), GREEDY)
    before = codes_of(run(engine)[first])
    assert len(engine.prefixes) == 1 and engine.prefixes.hits == 0
    again = engine.add(text_prompt(1), GREEDY)
    np.testing.assert_array_equal(codes_of(run(engine)[again]), before)
    assert engine.prefixes.hits == 1
    engine.add(text_prompt(1, voice=8), GREEDY)
    run(engine)
    assert len(engine.prefixes) == 2


def test_seeds() -> None:
    core = make_core()

    def codes(seed: int) -> np.ndarray:
        engine = Engine(core, slots=1)
        engine.add(text_prompt(2), SamplingParams(seed=seed, max_frames=8))
        return codes_of(run(engine)[0])

    np.testing.assert_array_equal(codes(1), codes(1))
    assert not np.array_equal(codes(1), codes(2))


def test_how_a_target_ends() -> None:
    engine = Engine(make_core(), slots=4)
    exact = engine.add(aligned_prompt(0), SamplingParams(seed=1))
    cut = engine.add(text_prompt(0), SamplingParams(seed=1, max_frames=2))
    spoken = engine.add(text_prompt(0), SamplingParams(seed=1))
    out = run(engine)
    assert out[exact][-1].reason == "stop" and len(codes_of(out[exact])) == 11
    assert out[cut][-1].reason == "length" and len(codes_of(out[cut])) == 2
    assert out[spoken][-1].reason == "stop"
    for outputs in out.values():
        assert [e.finished for e in outputs] == [False] * (len(outputs) - 1) + [True]


def test_a_pointer_whose_path_is_known_follows_it() -> None:
    """Decoding is then what training saw: phones and ages of the alignment, whatever the pointer head says."""
    core, codes = make_core(), np.random.default_rng(1).integers(0, 1024, (12, 8))
    phones = np.arange(2, 9)
    path_F = np.array([0, 0, 1, 1, 2, 2, 2, 2, 5, 5, 6, 6])
    prompt = Prompt(
        2, (Token(NS), Frames(codes, aligned=True), Text(phones, "en")), TextTrack(phones, 0, 7, path_F),
        track_codes_FK=codes, frames=12,
    )  # fmt: skip
    engine = Engine(core, slots=1, precision="float32")
    packed = pack(prompt)
    engine.add(packed, GREEDY)
    outputs = run(engine)[0]
    np.testing.assert_array_equal(np.concatenate([e.pointer_F for e in outputs]), path_F)
    batch = collate([TrainExample(packed, codes_of(outputs), path_F)], core.shape)
    with torch.no_grad():
        first = core.first_logits(core.hidden(batch), core.track_codes(batch)).argmax(-1)
    assert torch.equal(first, batch.target_codes_BTG[0][batch.target_index_N][:, 0])


@pytest.mark.parametrize("asked", [None, 2, 7])
@pytest.mark.parametrize("advance", [0, 3])
def test_no_run_on_and_no_skip_whatever_the_pointer_head_says(advance: int, asked: int | None) -> None:
    core, longest = make_core(), min(3, asked or 3)
    core.shape = core.shape.with_(max_phone_frames=3, max_pause_frames=5, pause_phones=(1,))
    packed = text_prompt(0)
    packed.track.ids[3] = 1
    engine = Engine(core, slots=1, precision="float32")

    def always(h_ND: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.one_hot(torch.full((len(h_ND),), advance), 4).float()

    engine.runner.advance_head = always  # type: ignore[assignment]
    engine.add(packed, SamplingParams(greedy=True, max_phone_frames=asked))
    pointer_F = np.concatenate([e.pointer_F for e in run(engine)[0]])
    assert pointer_F[0] == packed.track.start and pointer_F.max() < packed.track.stop
    if advance == 0:
        counts = np.bincount(pointer_F)[packed.track.start :]
        wanted = [5 if p == 3 else longest for p in range(packed.track.start, packed.track.stop)]
        assert counts.tolist() == wanted
    else:
        assert np.diff(pointer_F).tolist() == [3] * (len(pointer_F) - 1)


def test_speech_does_not_drag() -> None:
    """Where the pointer head would stay for ever, the pace holds: the slack is used up once, then all are alike."""
    core = make_core()
    core.shape = core.shape.with_(max_phone_frames=30, max_pause_frames=9, pause_phones=(1,))
    packed = text_prompt(4)
    packed.track.ids[5] = 1
    engine = Engine(core, slots=1, precision="float32")
    stay = torch.nn.functional.one_hot(torch.tensor([0]), 4).float()
    engine.runner.advance_head = lambda h_ND: stay.expand(len(h_ND), -1)  # type: ignore[assignment]
    engine.add(packed, SamplingParams(greedy=True, max_pace=2.0, pace_slack=12, max_frames=200))
    pointer_F = np.concatenate([e.pointer_F for e in run(engine)[0]])
    counts = np.bincount(pointer_F)[packed.track.start :].tolist()
    pause = counts.pop(5 - packed.track.start)
    assert counts == [2 + 12] + [2] * (len(counts) - 1) and pause == 9


def test_abort_and_deadline() -> None:
    now = [0.0]
    engine = Engine(make_core(), slots=1, clock=lambda: now[0])
    first = engine.add(text_prompt(0), SamplingParams(seed=0))
    late = engine.add(text_prompt(1), SamplingParams(seed=0, deadline=5.0))
    third = engine.add(text_prompt(2), SamplingParams(seed=0, max_frames=3))
    engine.step()
    assert engine.abort(first) and not engine.abort(first)
    now[0] = 6.0
    out = run(engine)
    assert first not in out
    assert [e.reason for e in out[late]] == ["deadline"]
    assert len(codes_of(out[third])) == 3


def test_a_prompt_that_leaves_no_room_is_refused() -> None:
    engine = Engine(make_core(), slots=1, max_steps=20)
    with pytest.raises(ValueError, match="do not fit"):
        engine.add(aligned_prompt(0))
    with pytest.raises(ValueError, match="another model"):
        engine.add(pack(unconditional(Prompt(0, ()), 2), num_codebooks=4))

"""Requests that wait within their text, and go on from where another is."""

import numpy as np
import pytest

from speechx.engine.engine import Engine
from speechx.engine.sampling import SamplingParams
from tests.helpers.engines import make_core, text_prompt


def frames_of(engine: Engine, ids: list[int], resume: bool = True) -> dict[int, list[np.ndarray]]:
    """Codes of each request until nothing is left to do, or, without `resume`, until all wait."""
    frames: dict[int, list[np.ndarray]] = {i: [] for i in ids}
    while engine.has_work:
        outputs = engine.step()
        if not outputs and not resume:
            break
        for output in outputs:
            frames[output.id].append(output.codes_FK)
            if output.waits and resume:
                engine.resume(output.id)
    return frames


@pytest.mark.parametrize(
    "dropout", [0.0, 0.2]
)  # with a second, unconditional sequence for guidance or without
def test_waiting_changes_nothing(dropout: float) -> None:
    prompt = text_prompt(3)
    params = SamplingParams(seed=4, max_frames=60, guidance=2.0, fine_guidance=1.5)
    engine = Engine(make_core(dropout=dropout), slots=2)
    alone = frames_of(engine, [engine.add(prompt, params)])[0]
    waits = frames_of(engine, [engine.add(prompt, params, stops=(4, 7))])[1]
    assert np.array_equal(np.concatenate(alone), np.concatenate(waits))
    engine.scheduler.check_idle()


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_a_fork_goes_on_as_the_other_would(dropout: float) -> None:
    prompt = text_prompt(2)
    engine = Engine(make_core(dropout=dropout), slots=3)
    one, other, third = (
        engine.add(
            prompt,
            SamplingParams(seed=seed, max_frames=60, guidance=2.0, fine_guidance=1.5, greedy=greedy),
            stops=(5,),
        )
        for seed, greedy in ((1, False), (2, True), (3, False))
    )
    begun = frames_of(engine, [one, other, third], resume=False)
    assert not np.array_equal(np.concatenate(begun[one]), np.concatenate(begun[other]))
    engine.fork(other, one)  # the drawn one goes on from the greedy one, and the greedy one where it was
    for id in (one, other, third):
        engine.resume(id)
    rest = frames_of(engine, [one, other, third])
    greedy = Engine(make_core(dropout=dropout), slots=1)
    params = SamplingParams(seed=9, max_frames=60, guidance=2.0, fine_guidance=1.5, greedy=True)
    alone = np.concatenate(frames_of(greedy, [greedy.add(prompt, params)])[0])
    assert np.array_equal(np.concatenate(begun[other] + rest[other]), alone)


def test_a_fork_needs_nothing_of_what_was_there() -> None:
    params = SamplingParams(seed=3, max_frames=60, guidance=2.0, fine_guidance=1.5)
    prompt, engine = text_prompt(2), Engine(make_core(dropout=0.2), slots=2)
    one, other = (engine.add(prompt, params, stops=(5,)) for _ in range(2))
    begun = frames_of(engine, [one, other], resume=False)
    slot, start = engine.scheduler.slot_of(other), len(prompt)
    engine.runner.cache.kv_LS2HTE[:, slot, :, :, start:] = 7.0
    engine.runner.cache.kv_LS2HTE[:, slot + engine.slots] = 7.0
    engine.fork(one, other)
    for id in (one, other):
        engine.resume(id)
    rest = frames_of(engine, [one, other])
    assert len(rest[one]) > 2 and len(begun[one]) > 1
    assert np.array_equal(np.concatenate(rest[one]), np.concatenate(rest[other]))


def test_tries_at_one_part_prefill_once(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, prompt = Engine(make_core(), slots=3), text_prompt(1)
    count = []
    prefill = engine.runner.prefill
    monkeypatch.setattr(engine.runner, "prefill", lambda *args: (count.append(1), prefill(*args)))
    ids = [engine.add(prompt, SamplingParams(seed=5, max_frames=20)) for _ in range(3)]
    frames = frames_of(engine, ids)
    assert len(count) == 2  # the voice, which is kept, and the text
    assert all(np.array_equal(np.concatenate(frames[i]), np.concatenate(frames[ids[0]])) for i in ids)


def test_a_request_that_waits_runs_out_of_time_too() -> None:
    now = 0.0
    engine = Engine(make_core(), slots=1, clock=lambda: now)
    engine.add(text_prompt(1), SamplingParams(seed=5, max_frames=60, deadline=5.0), stops=(4,))
    while engine.step():
        pass
    assert engine.has_work
    now = 6.0
    assert [e.reason for e in engine.step()] == ["deadline"]
    engine.scheduler.check_idle()

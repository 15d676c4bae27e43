"""The scheduler under random joins, aborts and deadlines: nothing lost, nothing leaked, first come first served."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from speechx.engine.scheduler import ScheduledSequence, Scheduler, prompt_chunks

EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 300), st.one_of(st.none(), st.integers(0, 60))),
        st.tuples(st.just("abort"), st.integers(0, 30), st.none()),
        st.tuples(st.just("step"), st.integers(1, 4), st.none()),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@example([("add", 0, 2), ("step", 1, None), ("add", 300, None), ("step", 1, None)], 2, 6)
@given(EVENTS, st.integers(1, 4), st.integers(1, 6))
def test_random_lives(events: list[tuple[str, int, int | None]], slots: int, frames: int) -> None:
    scheduler = Scheduler(slots)
    left: dict[int, int] = {}  # frames still to decode
    ended: dict[int, str] = {}
    prefilled: dict[int, int] = {}
    lengths: list[int] = []
    started: list[int] = []
    now = 0

    def step() -> None:
        nonlocal now
        now += 1
        for entry in scheduler.admit():
            started.append(entry.id)
            assert 0 <= entry.slot < slots
        running = {i for i in left if 0 < left[i] < frames and i not in ended}
        plan = scheduler.schedule(now)
        for entry in plan.expired:
            ended[entry.id] = "deadline"
        for entry, start, stop in plan.prefill:
            assert prefilled.get(entry.id, 0) == start, "chunks come in order"
            prefilled[entry.id] = stop
        if running - set(ended):
            assert len(plan.prefill) <= 1, "a join does not stall the others"
        assert len(plan.decode) <= slots and len({e.slot for e in plan.decode}) == len(plan.decode)
        for entry in plan.decode:
            assert prefilled.get(entry.id, 0) == lengths[entry.id] and entry.id not in ended
            left[entry.id] -= 1
            if left[entry.id] == 0:
                ended[entry.id] = "stop"
                assert scheduler.remove(entry.id) is entry

    for kind, number, deadline in events:
        if kind == "add":
            id = len(lengths)
            lengths.append(number)
            left[id] = frames
            scheduler.add(
                ScheduledSequence(
                    id, prompt_chunks(0, number, 64), None if deadline is None else now + deadline
                )
            )
        elif kind == "abort":
            entry = scheduler.remove(number)
            assert (entry is not None) == (number < len(lengths) and number not in ended)
            if entry is not None:
                ended[number] = "abort"
        else:
            for _ in range(number):
                step()
        assert len(scheduler) == len(lengths) - len(ended)
    for _ in range(len(lengths) * (frames + 10) + 1):
        if not len(scheduler):
            break
        step()
    assert set(ended) == set(range(len(lengths))), "every request ends"
    assert started == sorted(started), "slots are given in the order of arrival"
    scheduler.check_idle()


def test_a_long_prompt_is_prefilled_at_once_when_nobody_waits_for_a_frame() -> None:
    scheduler = Scheduler(2)
    scheduler.add(ScheduledSequence(0, prompt_chunks(0, 300, 128)))
    list(scheduler.admit())
    plan = scheduler.schedule(0)
    assert [p[1:] for p in plan.prefill] == [(0, 128), (128, 256), (256, 300)] and plan.decode[0].id == 0
    scheduler.add(ScheduledSequence(1, prompt_chunks(0, 300, 128)))
    list(scheduler.admit())
    for _ in range(3):
        plan = scheduler.schedule(0)
        assert len(plan.prefill) == 1 and plan.decode[0].id == 0
    assert [e.id for e in plan.decode] == [0, 1]


def test_tries_at_one_prompt_begin_together() -> None:
    """Prefilling a copy costs nothing: it waits for the first, not for a step of its own."""
    scheduler = Scheduler(4)
    for id in range(4):
        scheduler.add(ScheduledSequence(id, prompt_chunks(0, 200, 128), copies=id in (1, 2)))
    list(scheduler.admit())
    plan = scheduler.schedule(0)
    assert [p[0].id for p in plan.prefill] == [0, 0, 1, 1, 2, 2] and [e.id for e in plan.decode] == [0, 1, 2]
    assert [e.id for e in scheduler.schedule(0).decode] == [0, 1, 2], "the next one has a chunk to go"
    scheduler.remove(1)
    scheduler.add(ScheduledSequence(4, prompt_chunks(0, 0, 128)))
    assert next(iter(scheduler.admit())).slot == 1
    assert [e.id for e in scheduler.schedule(0).decode] == [0, 2, 3]
    assert [(e.id, e.slot) for e in scheduler.schedule(0).decode] == [(0, 0), (4, 1), (2, 2), (3, 3)]

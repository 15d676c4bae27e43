"""The engine thread: jobs side by side, errors to their own listener, aborts on leaving, closing."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from speechx.pipeline.job import Chunk, Job
from speechx.pipeline.local_engine import LocalEngine
from speechx.task.fields import TaskRequest
from tests.helpers.fake_engine import FakeEngine


class Request(TaskRequest):
    chunks: int = 3
    fails: bool = False


class RunningJob:
    def __init__(self, job: Job) -> None:
        self.job, self.outbox, self.made = job, deque[Chunk](), 0
        self.done, self.error = False, None


class JobRunner:
    """Gives each run a chunk a step."""

    occupancy = 0.5

    def __init__(self) -> None:
        self.runs: list[Any] = []
        self.aborted: list[str] = []
        self.most = 0
        self.threads: set[int] = set()
        self.broken = False

    @property
    def has_work(self) -> bool:
        return bool(self.runs)

    def warm_up(self) -> None:
        if self.broken:
            raise RuntimeError("broken from the start")
        self.threads.add(threading.get_ident())

    def add(self, run: Any) -> None:
        self.runs.append(run)

    def abort(self, run: Any) -> None:
        self.aborted.append(run.job.id)
        self.runs = [r for r in self.runs if r is not run]

    def step(self) -> list[Any]:
        if self.broken:
            raise RuntimeError("broken")
        self.threads.add(threading.get_ident())
        self.most = max(self.most, len(self.runs))
        time.sleep(0.002)
        touched = list(self.runs)
        for run in touched:
            run.made += 1
            final = run.made == run.job.request.chunks
            if run.job.request.fails and run.made == 2:
                run.done, run.error = True, TimeoutError("too late")
            else:
                run.done = final
                run.outbox.append(Chunk(np.full(4, run.job.request.seed or 0, np.float32), 16000, (), final))
        self.runs = [r for r in self.runs if not r.done]
        return touched


class Pipeline:
    def __init__(self) -> None:
        self.runner = JobRunner()

    def prepare(self, job: Job) -> RunningJob:
        if job.task == "unknown":
            raise ValueError("no such task")
        return RunningJob(job)


@pytest.fixture
def threads() -> Iterator[None]:
    """Gives torch's number of threads back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def job(task: str = "tts", **fields: Any) -> Job:
    return Job(task, Request(**fields))


async def read(engine: Any, job: Job) -> list[Chunk]:
    return [chunk async for chunk in engine.stream(job)]


def test_jobs_run_side_by_side_on_one_thread() -> None:
    pipeline = Pipeline()

    async def main() -> list[list[Chunk]]:
        return await asyncio.gather(*(read(engine, job(seed=i, chunks=20)) for i in range(6)))

    with LocalEngine(pipeline) as engine:  # type: ignore[arg-type]
        results = asyncio.run(main())
    for i, chunks in enumerate(results):
        assert len(chunks) == 20 and chunks[-1].final and all(c.wav_T[0] == i for c in chunks)
    assert pipeline.runner.most > 1 and len(pipeline.runner.threads) == 1 and engine.active == 0


def test_an_error_is_its_own_jobs() -> None:
    async def main() -> list[Any]:
        jobs = [job(), job(fails=True), job("unknown")]
        return await asyncio.gather(*(read(engine, j) for j in jobs), return_exceptions=True)

    with LocalEngine(Pipeline()) as engine:  # type: ignore[arg-type]
        good, late, unknown = asyncio.run(main())
    assert len(good) == 3 and isinstance(late, TimeoutError) and isinstance(unknown, ValueError)


@pytest.mark.parametrize("how", ["close", "cancel"])
def test_leaving_aborts(how: str) -> None:
    pipeline, endless = Pipeline(), job(chunks=10**6)

    async def main() -> None:
        if how == "close":
            stream = engine.stream(endless)
            await anext(stream)
            await stream.aclose()  # type: ignore[attr-defined]
        else:
            task = asyncio.create_task(read(engine, endless))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        for _ in range(200):
            if not engine.active:
                break
            await asyncio.sleep(0.01)

    with LocalEngine(pipeline) as engine:  # type: ignore[arg-type]
        asyncio.run(main())
        assert engine.active == 0 and pipeline.runner.aborted == [endless.id]


def test_closing_or_breaking_leaves_nobody_waiting() -> None:
    async def main(break_it: bool) -> None:
        task = asyncio.create_task(read(engine, job(chunks=10**6)))
        await asyncio.sleep(0.05)
        if break_it:
            engine.pipeline.runner.broken = True  # type: ignore[attr-defined]
            with pytest.raises(RuntimeError, match="broken"):
                await task
        else:
            await asyncio.to_thread(engine.close)
            with pytest.raises(InterruptedError):
                await task
            with pytest.raises(RuntimeError):
                await read(engine, job())

    for break_it in (True, False):
        engine = LocalEngine(Pipeline())  # type: ignore[arg-type]
        asyncio.run(main(break_it))
        engine.close()


def test_an_engine_that_cannot_begin_says_so() -> None:
    pipeline = Pipeline()
    pipeline.runner.broken = True
    with pytest.raises(RuntimeError, match="from the start"):
        LocalEngine(pipeline)  # type: ignore[arg-type]


def test_the_fake_engine() -> None:
    engine = FakeEngine(chunks=2)
    chunks = asyncio.run(read(engine, job()))
    assert [c.final for c in chunks] == [False, True] and chunks[-1].info["model"] == "fake"
    with pytest.raises(ValueError, match="no"):
        asyncio.run(read(FakeEngine(error=ValueError("no")), job()))

    async def leave() -> None:
        stream = engine.stream(wanted)
        await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]

    wanted = job()
    asyncio.run(leave())
    assert engine.aborted == [wanted.id]


@pytest.mark.usefixtures("threads")
def test_a_real_pipeline_behind_the_thread(pipeline: Any, speech: Any) -> None:
    """The chunks are those of the pipeline on its own, bit for bit on as many threads."""
    torch.set_num_threads(1)

    def wanted() -> Job:
        made: Job = pipeline.job("noise_suppression", audio=(speech(2.0), 16000), stream=True, seed=1)
        return made

    alone = np.concatenate([c.wav_T for c in pipeline.stream(wanted())])

    async def main() -> list[list[Chunk]]:
        return await asyncio.gather(*(read(engine, wanted()) for _ in range(3)))

    with LocalEngine(pipeline) as engine:
        for chunks in asyncio.run(main()):
            np.testing.assert_array_equal(np.concatenate([c.wav_T for c in chunks]), alone)
            assert chunks[-1].final and len(chunks) > 1

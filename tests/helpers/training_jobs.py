"""Training jobs with a checkpoint at every step, that stop or die at one of them."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass, replace
from pathlib import Path

from speechx.training.jobs import RunOptions, TrainingJob
from speechx.training.loop import CheckpointStore, TrainingRun


@dataclass(frozen=True)
class FaultyJob:
    """At step `fault_at` rank 1 kills itself, once: then it leaves the file `marker`. wait: all stop there, for ever."""

    job: TrainingJob
    fault_at: int
    marker: Path
    wait: bool = False

    def run(self, options: RunOptions) -> str:
        TrainingRun.save_due = lambda run: True  # type: ignore[method-assign]  # this process is a worker of this job
        assert options.store is not None
        return self.job.run(replace(options, store=FaultyStore(options.store, self, options.group.rank)))


@dataclass(frozen=True)
class FaultyStore:
    inner: CheckpointStore
    faults: FaultyJob
    rank: int

    def latest(self) -> Path | None:
        return self.inner.latest()

    def save(self, checkpoint: Path | None, step: int) -> None:
        self.inner.save(checkpoint, step)
        if step == self.faults.fault_at and self.rank == 1 and not self.faults.marker.exists():
            time.sleep(5)  # Ray's controller looks for new checkpoints every 2 s
            self.faults.marker.touch()
            if self.faults.wait:
                time.sleep(3600)
            os.kill(os.getpid(), signal.SIGKILL)

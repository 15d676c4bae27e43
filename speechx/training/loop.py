"""The training loop of all four networks: schedule, weight average, log, and checkpoints that resume exactly.

run = TrainingRun(out, max_minutes)
fit(trainer, run, batches, trainer.train_step, log_every=50)
"""

from __future__ import annotations

import csv
import math
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeAlias, TypeVar

import torch
from torch import Tensor, nn

from speechx.errors import InputError
from speechx.files import atomic_files
from speechx.training.group import Group

Checkpoint: TypeAlias = dict[str, Any]
"""What `torch.save` writes: step, weights, optimizers, random generators, config."""

Metrics: TypeAlias = dict[str, Tensor]
"""Scalars of one step, on the device that made them."""

Show: TypeAlias = Callable[[int, Mapping[str, float]], None]
"""Tells a step and its values to whoever watches."""

Batch = TypeVar("Batch")

CPU = torch.device("cpu")

LOG_SECONDS = 10.0


class Trainer(Protocol):
    """Networks, optimizers and the number of steps done."""

    step: int
    share_of_time: float
    """How much of `anneal_minutes` is over, 0..1."""

    def state(self) -> Checkpoint: ...


def fit(
    trainer: Trainer,
    run: TrainingRun,
    batches: Iterable[Batch],
    train_step: Callable[[Batch], Metrics],
    *,
    log_every: int,
    anneal_minutes: float = 0.0,
    summarize: Callable[[list[Metrics], float], dict[str, float]] | None = None,
    evaluate: Callable[[], dict[str, float]] | None = None,
    save: Callable[[], None] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Trains until the batches, the minutes of the run or `anneal_minutes` are over, and saves a checkpoint.

    summarize: a row of the log from the metrics of the steps since the last row and their seconds; default: their means.
    evaluate: called after every step; its row is logged unless empty, and its time is not training time. save: in place of
    `run.save(trainer.state())`. stop: whether to end after this step, the same on all ranks.
    All ranks of the run's group call all of them but `summarize`, which is for rank 0; its clock decides for all. A row is
    logged after the first step, too, and every 10 s at least. An interruption (Ctrl-C) ends the run after the step, with a
    checkpoint.
    """
    summarize, save = summarize or summary, save or (lambda: run.save(trainer.state()))
    clock, recent, group = time.monotonic(), list[Metrics](), run.group
    first = True
    with _waiting_interruption() as interrupted:
        for batch in batches:
            trainer.share_of_time = group.broadcast(run.share_of(anneal_minutes))
            recent.append(train_step(batch))
            if first or trainer.step % log_every == 0 or time.monotonic() - clock >= LOG_SECONDS:
                first = False
                left = (
                    {"minutes_left": anneal_minutes * (1 - trainer.share_of_time)} if anneal_minutes else {}
                )
                if group.first:
                    run.log(trainer.step, summarize(recent, time.monotonic() - clock) | left)
                clock, recent = time.monotonic(), []
            before = time.monotonic()
            if evaluate is not None and (row := evaluate()):
                run.log_first(trainer.step, row)
                clock += time.monotonic() - before
            if group.broadcast(run.save_due()):
                save()
            if group.broadcast(run.out_of_time() or interrupted()) or trainer.share_of_time >= 1 or stop():
                break
        save()
    if interrupted():
        raise KeyboardInterrupt


@contextmanager
def _waiting_interruption() -> Iterator[Callable[[], bool]]:
    """Whether SIGINT came. The first one waits for the end of a step, whose state can be saved; a second one does not."""
    came = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield came.is_set  # signals are the main thread's; one that is ignored, as by nohup, stays so
        return

    def note(number: int, frame: object) -> None:
        came.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield came.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def summary(recent: list[Metrics], seconds: float) -> dict[str, float]:
    """Means over some steps, and the seconds of a step."""
    return mean_metrics(recent) | {"per_step": seconds / len(recent)}


def mean_metrics(recent: list[Metrics]) -> dict[str, float]:
    """Mean of every metric of the last step, over the steps that have it."""
    return {k: float(torch.stack([r[k].float() for r in recent if k in r]).mean()) for k in recent[-1]}


def warm_up(step: int, steps: int) -> float:
    """Factor of the learning rate: it rises evenly over the first steps."""
    return min(1.0, (step + 1) / steps)


def cosine(done: float, floor: float) -> float:
    """Factor of the learning rate after a share of the run: half a cosine from 1 to `floor`."""
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, step: int, most: float) -> None:
    """Moves an exponential average of the weights; its decay rises to `most` over the first steps. Buffers are copied."""
    decay = min(most, (step + 1) / (step + 10))
    # Frozen parameters are left alone: the mean of two negative zeros is a positive one, which has another hash.
    moved = [(a, p) for a, p in zip(average.parameters(), model.parameters(), strict=True) if p.requires_grad]
    torch._foreach_lerp_([a for a, _ in moved], [p for _, p in moved], 1 - decay)
    for mine, theirs in zip(average.buffers(), model.buffers(), strict=True):
        mine.copy_(theirs)


class CheckpointStore(Protocol):
    """Where checkpoints go besides the folder of a run: storage that outlives the machine."""

    def latest(self) -> Path | None:
        """The newest checkpoint of this run, on this machine; None where there is none."""
        ...

    def save(self, checkpoint: Path | None, step: int) -> None:
        """Keep a file. All ranks call it; the file is rank 0's."""
        ...


def print_values(step: int, values: Mapping[str, float]) -> None:
    """All values of a step, to the terminal."""
    print(f"step {step} " + " ".join(f"{k} {v:.4g}" for k, v in values.items()), flush=True)


class TrainingRun:
    """A folder with `last.pt`, `log.csv` and TensorBoard events, and the time that the run has used.

    group: the processes that train together. Rank 0 alone writes to the folder. show: tells a step and its values.
    """

    def __init__(
        self, folder: str | Path, max_minutes: float | None, save_every_minutes: float = 10, *,
        group: Group = Group(), store: CheckpointStore | None = None, show: Show | None = None,
    ) -> None:  # fmt: skip
        self.folder, self.group, self.store = Path(folder), group, store
        self._show = show or print_values
        if group.first:
            self.folder.mkdir(parents=True, exist_ok=True)
        self.started = self.saved = time.monotonic()
        self.before = 0.0  # seconds of the runs that this one resumes
        self.max_seconds = None if max_minutes is None else max_minutes * 60
        self.save_every = save_every_minutes * 60
        self._board: Any = None
        self._columns: list[str] | None = None

    @property
    def checkpoint(self) -> Path:
        return self.folder / "last.pt"

    def seconds(self) -> float:
        return time.monotonic() - self.started

    def out_of_time(self) -> bool:
        return self.max_seconds is not None and self.seconds() >= self.max_seconds

    def share_of(self, minutes: float) -> float:
        """How much of so many minutes this run and those it resumes have used, 0..1; 0 where `minutes` is 0."""
        return min(1.0, (self.before + self.seconds()) / (60 * minutes)) if minutes else 0.0

    def save_due(self) -> bool:
        return time.monotonic() - self.saved >= self.save_every

    def save(self, state: Checkpoint) -> None:
        """Atomic: a run that is cut off leaves the checkpoint before this one. All ranks call it."""
        self.group.check_equal(state)
        if self.group.first:
            with atomic_files(self.checkpoint) as (part,):
                torch.save(state | {"seconds": self.before + self.seconds()}, part)
        if self.store is not None:
            self.store.save(self.checkpoint if self.group.first else None, state["step"])
        self.saved = time.monotonic()

    def resumes(self, wanted: bool) -> bool:
        """Whether there is a checkpoint to go on from. wanted: also from the folder's; one of the store always counts."""
        return (self.store is not None and self.store.latest() is not None) or (
            wanted and self.checkpoint.is_file()
        )

    def load(self) -> Checkpoint:
        path = (self.store.latest() if self.store is not None else None) or self.checkpoint
        if not path.is_file():
            raise ValueError(f"--resume: there is no checkpoint {path}")
        state: Checkpoint = torch.load(path, map_location="cpu", weights_only=False)
        self.before = state.get("seconds", 0.0)
        return state

    def log_first(self, step: int, values: dict[str, float]) -> None:
        """`log` on rank 0, nothing on the others."""
        if self.group.first:
            self.log(step, values)

    def log(self, step: int, values: dict[str, float]) -> None:
        """A line to the terminal, a row to log.csv, scalars to TensorBoard where it is installed."""
        self._show(step, values)
        row = {"step": step, "seconds": round(self.seconds(), 1)} | {k: f"{v:.6g}" for k, v in values.items()}
        path = self.folder / "log.csv"
        fresh = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.writer(file)
            if fresh or self._columns != list(row):
                writer.writerow(row)
                self._columns = list(row)
            writer.writerow(row.values())
        if self._board is None:
            try:
                from torch.utils.tensorboard import SummaryWriter

                self._board = SummaryWriter(str(self.folder))
            except ImportError:
                self._board = False
        if self._board:
            for name, value in values.items():
                self._board.add_scalar(name, value, step)


def read_log(path: str | Path) -> list[dict[str, float]]:
    """The rows of a log.csv. Its columns may change on the way, with a new header line."""
    rows, columns = [], list[str]()
    with Path(path).open(newline="") as file:
        for cells in csv.reader(file):
            if cells and cells[0] == "step":
                columns = cells
            else:
                rows.append({name: float(cell) for name, cell in zip(columns, cells, strict=True)})
    return rows


def compiled(module: torch.nn.Module, **options: Any) -> Any:
    """torch.compile; what it cannot compile runs as it is, so that no rented minute is lost to it.

    torch writes a warning for each part that it gave up on.
    """
    import torch._dynamo

    torch._dynamo.config.suppress_errors = True
    return torch.compile(module, **options)


def rng_state(device: torch.device = CPU) -> Checkpoint:
    """Everything random that a step of training draws from: the CPU's generator and that of one GPU.

    The generators of other GPUs are other ranks', which must not get the state of an unused one when they resume.
    """
    state: Checkpoint = {"torch": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_rng_state(state: Checkpoint, device: torch.device = CPU) -> None:
    torch.set_rng_state(state["torch"])
    if device.type == "cuda" and "cuda" in state:
        saved = state["cuda"]  # in checkpoints of the first release a list, by device
        torch.cuda.set_rng_state(saved[device.index or 0] if isinstance(saved, list) else saved, device)


def read_checkpoint(path: str, key: str) -> Checkpoint:
    """The checkpoint that a new recipe starts from. Raises InputError for a file that is none, or lacks `key`."""
    try:
        state: Checkpoint = torch.load(path, map_location="cpu", weights_only=False)
        if key in state:
            return state
        reason = f"it has no {key!r}"
    except (OSError, EOFError, RuntimeError, TypeError, pickle.UnpicklingError) as error:
        reason = type(error).__name__
    raise InputError(
        f"start-from: {path} is no checkpoint of this kind of training: {reason}", field="start_from"
    )

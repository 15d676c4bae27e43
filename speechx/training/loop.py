"""What every training run shares: the clock, the log, and checkpoints that resume exactly."""

from __future__ import annotations

import csv
import time
from pathlib import Path
from typing import Any

import torch

from speechx.files import atomic_files


class TrainingRun:
    """A folder with `last.pt`, `log.csv` and TensorBoard events. Use as: `while run.go(step): ...`"""

    def __init__(self, folder: str | Path, max_minutes: float | None, save_every_minutes: float = 10) -> None:
        self.folder = Path(folder)
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

    def save(self, state: dict[str, Any]) -> None:
        """Atomic: a run that is cut off leaves the checkpoint before this one."""
        with atomic_files(self.checkpoint) as (part,):
            torch.save(state | {"seconds": self.before + self.seconds()}, part)
        self.saved = time.monotonic()

    def load(self) -> dict[str, Any]:
        if not self.checkpoint.is_file():
            raise ValueError(f"--resume: there is no checkpoint {self.checkpoint}")
        state = torch.load(self.checkpoint, map_location="cpu", weights_only=False)
        self.before = state.get("seconds", 0.0)
        return state

    def log(self, step: int, values: dict[str, float]) -> None:
        """A line to the terminal, a row to log.csv, scalars to TensorBoard where it is installed."""
        print(f"step {step} " + " ".join(f"{k} {v:.4g}" for k, v in values.items()), flush=True)
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
    """The rows of a log.csv. Its columns may change on the way: a new header line says how."""
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


def rng_state() -> dict[str, Any]:
    """Everything random that a step of training draws from."""
    state: dict[str, Any] = {"torch": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def set_rng_state(state: dict[str, Any]) -> None:
    torch.set_rng_state(state["torch"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])

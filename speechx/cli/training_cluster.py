"""Training in this process, or by the workers of Ray Train behind the launcher `train`. Nothing here imports Ray."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from speechx.cli.cluster import launcher
from speechx.errors import InputError
from speechx.models.devices import check_device

if TYPE_CHECKING:
    from speechx.training.jobs import RunOptions, TrainCluster, TrainingJob

__all__ = ["GpusFlag", "WorkerCpus", "WorkersOption", "train_job", "training_cluster"]

WorkersOption = Annotated[
    int | None, typer.Option(min=1, help="train on Ray, with so many processes that share each batch")
]
GpusFlag = Annotated[bool, typer.Option("--gpus", help="with --workers: a GPU for each")]
WorkerCpus = Annotated[float, typer.Option(min=0, help="with --workers: CPUs reserved for each")]


def training_cluster(
    workers: int | None, gpus: bool, cpus: float, address: str | None
) -> TrainCluster | None:
    """None: train in this process. Raises InputError for --gpus or --address without --workers."""
    from speechx.training.jobs import TrainCluster

    if workers is None:
        for field, given in (("gpus", gpus), ("address", address)):
            if given:
                raise InputError(f"{field}: it goes with --workers N", field=field)
        return None
    return TrainCluster(workers, gpus, cpus, address)


def train_job(job: TrainingJob, options: RunOptions, cluster: TrainCluster | None) -> None:
    """Train here or on a cluster; a line on standard output at the end. Raises InputError: see `docs/training.md`."""
    from speechx.training.jobs import check_job, resolve_resume

    if cluster is not None:
        start = cast("Callable[[TrainingJob, RunOptions, TrainCluster], str]", launcher("train"))
        typer.echo(start(job, options, cluster))
        return
    if "://" in options.out:
        raise InputError(f"output: {options.out} is a URL, which needs --workers", field="output")
    options = resolve_resume(options, Path(options.out, "last.pt").is_file())
    check_device(options.device)
    check_job(job, 1, options.resume)
    typer.echo(job.run(options))

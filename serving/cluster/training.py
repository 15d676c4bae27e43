"""Training on Ray Train, for `speechx train ... --workers N`: TorchTrainer around the loop of one process.

Every worker is a rank of a process group (gloo, on GPUs nccl) and runs the same job. Rank 0 writes OUT as one process does.
Its checkpoints also go to Ray's storage, which is OUT too, as OUT/checkpoint_*. Workers that are started again after a
death, and a job that is started again with --resume or --auto-resume, go on from there.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypedDict, cast

from speechx.batch.job import ClusterOptions
from speechx.errors import InputError
from speechx.files import Storage
from speechx.serving.cluster.batch import connection
from speechx.training.group import Group
from speechx.training.jobs import RunOptions, TrainCluster, TrainingJob, check_job, resolve_resume

import ray.train  # isort: skip
from ray.train.torch import TorchConfig, TorchTrainer  # isort: skip

__all__ = ["RayCheckpoints", "train_on_ray"]

RESTARTS = 3
"""Deaths of workers that a job survives. A job that ends for more goes on with --resume."""
KEPT = 2
PART = ".checkpoint-"
SNAPSHOT = "checkpoint_manager_snapshot.json"
"""What Ray Train writes beside its checkpoints: a run of the same name and place goes on from them."""


ENVIRONMENT = {
    # Workers import torch and Ray when they start: that takes more than Ray's 60 s on a busy machine.
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "600",
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",  # which prints every line twice
}
"""What Ray Train reads in the driver, and passes on to its workers."""


class WorkerConfig(TypedDict):
    job: TrainingJob
    options: RunOptions


class RayCheckpoints:
    """The checkpoints of a run in Ray's storage (`speechx.training.loop.CheckpointStore`). Made in a worker.

    folder: where rank 0 writes `last.pt` and `log.csv`. That is OUT, unless OUT is a URL: then a folder of this worker,
    which gets what the newest checkpoint has.
    """

    def __init__(self, folder: Path, remote: bool) -> None:
        self.folder, found = folder, ray.train.get_checkpoint()
        if ray.train.get_context().get_world_rank() == 0:
            for left in folder.glob(f"{PART}*"):  # by a worker that was killed
                shutil.rmtree(left, ignore_errors=True)
        candidates = [folder / "last.pt"]
        if found is not None and remote:
            found.to_directory(folder)
        elif found is not None:
            candidates.append(Path(found.path) / "last.pt")
        # The worker may have died between writing the one and reporting the other; a run without workers writes the first.
        there = [path for path in candidates if path.is_file()]
        self._latest = max(there, key=lambda path: path.stat().st_mtime_ns, default=None)

    def latest(self) -> Path | None:
        return self._latest

    def save(self, checkpoint: Path | None, step: int) -> None:
        """A barrier: returns when all ranks have called it and the file is in the storage."""
        if checkpoint is None:
            ray.train.report({"step": step})
            return
        with tempfile.TemporaryDirectory(prefix=PART, dir=self.folder) as part:
            try:
                os.link(checkpoint, Path(part, "last.pt"))
            except OSError:  # a file system without links
                shutil.copy(checkpoint, part)
            if (log := self.folder / "log.csv").is_file():
                shutil.copy(log, part)
            ray.train.report({"step": step}, checkpoint=ray.train.Checkpoint.from_directory(part))


def train_on_ray(job: TrainingJob, options: RunOptions, cluster: TrainCluster) -> str:
    """Run a job on `cluster.workers` ranks; a line for the terminal. Raises InputError with one sentence."""
    if options.device.startswith("cuda") and not cluster.gpus:
        raise InputError("gpus: a worker sees no GPU without --gpus", field="gpus")
    out = options.out if "://" in options.out else str(Path(options.out).absolute())
    storage = Storage(out)
    found = storage.exists(SNAPSHOT) or storage.exists("last.pt")
    options = resolve_resume(replace(options, out=out, device="cuda" if cluster.gpus else "cpu"), found)
    check_job(job, cluster.workers, options.resume)
    place, _, name = out.rstrip("/").rpartition("/")
    for variable, value in ENVIRONMENT.items():
        os.environ.setdefault(variable, value)
    trainer = TorchTrainer(
        cast("Callable[[dict[str, object]], None]", _work),
        train_loop_config=dict(WorkerConfig(job=job, options=options)),
        torch_config=TorchConfig(backend="nccl" if cluster.gpus else "gloo"),
        scaling_config=ray.train.ScalingConfig(
            num_workers=cluster.workers, use_gpu=cluster.gpus, resources_per_worker=_resources(cluster)
        ),
        run_config=ray.train.RunConfig(
            name=name,
            storage_path=place or "/",
            checkpoint_config=ray.train.CheckpointConfig(num_to_keep=KEPT),
            failure_config=ray.train.FailureConfig(max_failures=RESTARTS),
        ),
    )
    actors = (cluster.workers, cluster.workers)
    needed = ClusterOptions(cluster.address, actors, cpus=cluster.cpus, gpus=float(cluster.gpus))
    with connection(needed, log_to_driver=True):
        try:
            return str(cast(Any, trainer.fit()).return_value)
        except ray.train.TrainingFailedError as error:
            raise _sentence(error) from error


def _resources(cluster: TrainCluster) -> dict[str, float]:
    return {"CPU": cluster.cpus} | ({"GPU": 1} if cluster.gpus else {})


def _work(config: WorkerConfig) -> str:
    """What each worker does; the line of rank 0."""
    job, options = config["job"], config["options"]
    group, remote = Group.joined(options.device), "://" in options.out
    with tempfile.TemporaryDirectory() as own:
        folder = Path(own) if remote else Path(options.out)
        folder.mkdir(parents=True, exist_ok=True)
        store = RayCheckpoints(folder, remote)
        said = job.run(replace(options, out=str(folder), group=group, store=store))
        if remote and group.first:
            _upload(folder, options.out)
    return said.replace(str(folder), options.out)


def _upload(folder: Path, url: str) -> None:
    """Copies a folder, whose checkpoint comes last."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    for path in sorted(files, key=lambda path: path.name == "last.pt"):
        inside = path.parent.relative_to(folder).as_posix()
        target = Storage(url if inside == "." else f"{url}/{inside}")
        target.make()
        target.write(path.name, path.read_bytes())


def _sentence(error: ray.train.TrainingFailedError) -> InputError:
    """The error of the worker in one sentence."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    own = [
        text
        for line in lines
        for kind in ("InputError: ", "ValueError: ")
        if (text := line.partition(kind)[2])
    ]
    return InputError(
        own[-1] if own else f"workers: {lines[-1]}: start the job again with --resume", field="workers"
    )

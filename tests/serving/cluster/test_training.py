"""Training on Ray Train: two workers follow one process, also where a worker or the driver is killed on the way."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

pytest.importorskip("pyarrow")

from speechx.errors import InputError
from speechx.serving.cluster.training import train_on_ray
from speechx.training.codec_config import CodecTrainConfig
from speechx.training.jobs import CodecJob, LMJob, RunOptions, TrainCluster
from speechx.training.lm_config import LMTrainConfig
from speechx.training.loop import TrainingRun, read_log
from tests.helpers import trainings
from tests.helpers.training_jobs import FaultyJob

STEPS, FAULT_AT = 8, 4
TWO = TrainCluster(workers=2, cpus=0.5)
RECIPE = LMTrainConfig(preset="tiny", steps=STEPS, batch_steps=600, warmup=2, bf16=False, log_every=1)
DRIVER = """
import pickle, sys
from speechx.serving.cluster.training import train_on_ray
train_on_ray(*pickle.loads(open(sys.argv[1], "rb").read()))
"""

on_ray = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    trainings.make_data(root)
    return root


@pytest.fixture(scope="module")
def job(data: Path) -> LMJob:
    return LMJob(RECIPE, (str(data / "shards"),), str(data / "codec"))


@pytest.fixture(scope="module")
def undisturbed(job: LMJob, tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """The averaged weights of a run in this process."""
    out = tmp_path_factory.mktemp("one")
    job.run(RunOptions(str(out)))
    return TrainingRun(out, None).load()["average"]


def assert_follows(out: Path, undisturbed: dict[str, torch.Tensor], from_step: int) -> None:
    """The weights, and that the run went on where it had stopped."""
    state = TrainingRun(out, None).load()
    assert state["step"] == STEPS
    for name, value in undisturbed.items():
        torch.testing.assert_close(state["average"][name], value, atol=1e-5, rtol=1e-4)
    steps = [row["step"] for row in read_log(out / "log.csv")]
    assert steps == sorted(set(steps)) == list(range(1, STEPS + 1)) and from_step < STEPS
    assert (out / "model/model.safetensors").is_file()


def wait_for(path: Path, driver: subprocess.Popen[bytes]) -> None:
    while not path.exists():
        assert driver.poll() is None, "the driver has ended"
        time.sleep(0.2)


class TestOnRay:
    pytestmark = on_ray

    def test_a_killed_worker(
        self, cluster: None, job: LMJob, undisturbed: dict[str, torch.Tensor], tmp_path: Path
    ) -> None:
        faulty = FaultyJob(job, FAULT_AT, tmp_path / "died")
        out = tmp_path / "out"
        assert train_on_ray(faulty, RunOptions(str(out)), TWO) == f"language model -> {out / 'model'}"
        assert (tmp_path / "died").exists()
        assert_follows(out, undisturbed, FAULT_AT)

    def test_a_killed_driver_and_a_url(
        self, cluster: None, job: LMJob, undisturbed: dict[str, torch.Tensor], tmp_path: Path
    ) -> None:
        url, held = f"file://{tmp_path}/out", tmp_path / "held"
        call = tmp_path / "call"
        options = RunOptions(url, auto_resume=True)
        call.write_bytes(pickle.dumps((FaultyJob(job, FAULT_AT, held, wait=True), options, TWO)))
        environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_AUTH")}
        driver = subprocess.Popen([sys.executable, "-c", DRIVER, str(call)], env=environment)
        wait_for(held, driver)
        driver.send_signal(signal.SIGKILL)
        driver.wait()
        with pytest.raises(
            InputError, match="has the checkpoint of an earlier run; go on with it by --resume"
        ):
            train_on_ray(job, RunOptions(url), TWO)
        train_on_ray(job, options, TWO)
        assert_follows(tmp_path / "out", undisturbed, FAULT_AT)


def test_what_cannot_be_run_is_said_before_ray_starts(job: LMJob, tmp_path: Path) -> None:
    out = RunOptions(str(tmp_path / "out"))
    for wrong, options, sentence in (
        (job, replace(out, resume=True), "resume: there is no checkpoint in"),
        (job, replace(out, device="cuda"), "gpus: a worker sees no GPU without --gpus"),
        (replace(job, shards=(str(tmp_path / "none"),)), out, "shards: .*none does not exist"),
        (
            CodecJob(CodecTrainConfig(batch=1), str(tmp_path)),
            out,
            "workers: 2 workers cannot share a batch of 1",
        ),
    ):
        with pytest.raises(InputError, match=sentence):
            train_on_ray(wrong, options, TWO)

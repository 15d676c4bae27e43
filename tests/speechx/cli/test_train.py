"""`speechx train`: what the commands ask a cluster for, and that without --workers there is no Ray."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from speechx.cli import training_cluster
from speechx.cli.cluster import launcher
from speechx.cli.main import main
from speechx.errors import InputError
from speechx.training.jobs import (
    AlignerJob,
    CodecJob,
    LMJob,
    RefinerJob,
    RunOptions,
    TrainCluster,
    TrainingJob,
)
from tests.helpers import trainings

INPUTS = {
    "codec": ["--pack", "p"],
    "aligner": ["--pack", "p", "--codec", "c"],
    "lm": ["--shards", "s", "--shards", "t", "--codec", "c"],
    "refiner": ["--pack", "p", "--estimates", "e", "--codec", "c"],
}
Asked = list[tuple[TrainingJob, RunOptions, TrainCluster]]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What the launcher was asked for."""
    found: Asked = []

    def start(job: TrainingJob, options: RunOptions, cluster: TrainCluster) -> str:
        found.append((job, options, cluster))
        return "trained"

    monkeypatch.setattr(training_cluster, "launcher", lambda name: {"train": start}[name])
    return found


@pytest.mark.parametrize("kind", INPUTS)
def test_workers(kind: str, asked: Asked, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", kind, "--config", f"smoke/{kind}", *INPUTS[kind], "-o", "s3://bucket/run"]
    assert main([*words, "--workers", "4", "--cpus", "3", "--address", "10.0.0.5:6379", "--resume"]) == 0
    ((job, options, cluster),) = asked
    assert type(job).__name__.removesuffix("Job").lower() == kind
    assert (options.out, options.resume) == ("s3://bucket/run", True)
    assert cluster == TrainCluster(4, False, 3.0, "10.0.0.5:6379")
    assert capsys.readouterr().out == "trained\n"


@pytest.mark.parametrize("kind", INPUTS)
def test_auto_resume_begins_and_then_continues(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same command both times. `--resume` would refuse the first, no option the second."""
    resumed = []

    def run(job: TrainingJob, options: RunOptions) -> str:
        resumed.append(options.resume)
        return "trained"

    (job,) = (
        job for job in (AlignerJob, CodecJob, LMJob, RefinerJob) if job.__name__.lower() == f"{kind}job"
    )
    monkeypatch.setattr(job, "run", run)
    monkeypatch.chdir(tmp_path)
    for folder in "pset":
        (tmp_path / folder).mkdir()
    words = ["train", kind, "--config", f"smoke/{kind}", *INPUTS[kind], "-o", str(tmp_path), "--auto-resume"]
    assert main(words) == 0
    assert capsys.readouterr().out == f"{tmp_path} has no checkpoint: a new run\ntrained\n"
    (tmp_path / "last.pt").touch()
    assert main(words) == 0
    assert capsys.readouterr().out == f"{tmp_path} is resumed\ntrained\n"
    assert resumed == [False, True]


@pytest.mark.parametrize("kind", INPUTS)
def test_auto_resume_reaches_the_cluster(kind: str, asked: Asked) -> None:
    words = ["train", kind, "--config", f"smoke/{kind}", *INPUTS[kind], "-o", "run", "--workers", "2"]
    assert main([*words, "--auto-resume"]) == 0
    assert asked[0][1] == RunOptions("run", auto_resume=True)


def test_gpus(asked: Asked) -> None:
    words = ["train", "lm", "--config", "smoke/lm", *INPUTS["lm"], "-o", "run", "--workers", "8", "--gpus"]
    assert main(words) == 0
    assert asked[0][2] == TrainCluster(8, gpus=True)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--gpus"], "gpus: it goes with --workers N"),
        (["--address", "auto"], "address: it goes with --workers N"),
        (["--output", "s3://bucket/run"], "output: s3://bucket/run is a URL, which needs --workers"),
    ],
)
def test_options_that_need_workers(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "lm", "--config", "smoke/lm", *INPUTS["lm"], "-o", "run", *words]) == 2
    assert sentence in capsys.readouterr().err


def test_without_workers_there_is_no_ray(tmp_path: Path) -> None:
    trainings.make_data(tmp_path)
    (tmp_path / "lm.yaml").write_text("preset: tiny\nsteps: 2\nbatch_steps: 300\n")
    code = "import sys; from speechx.cli.main import main; assert main(sys.argv[1:]) == 0; sys.exit('ray' in sys.modules)"
    words = "train lm --config lm.yaml --shards shards --codec codec --output out".split()
    subprocess.run([sys.executable, "-c", code, *words], cwd=tmp_path, check=True)
    assert (tmp_path / "out/model/model.safetensors").is_file()


def test_a_launcher_that_an_old_installation_lacks() -> None:
    with pytest.raises(InputError, match="the installed package has no 'nothing': install it again"):
        launcher("nothing")

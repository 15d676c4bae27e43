"""What is in deploy/ fits Kubernetes, Ray and the code. Fields of KubeRay's resources: test_kuberay_schema.py."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray
import typer
import yaml
from pydantic import ValidationError
from ray._common.utils import import_attr
from ray.scripts.scripts import start as ray_start
from ray.serve import Application
from ray.serve._private.api import call_user_app_builder_with_args_if_necessary
from ray.serve.schema import ServeDeploySchema

from speechx.cli import train
from speechx.cli.batch import batch
from speechx.cli.main import main
from speechx.serving.cluster.local import SERVE_ENVIRONMENT
from speechx.serving.cluster.router import AppArgs
from speechx.training.loop import read_log
from tests.helpers import trainings
from tests.house.test_layout import ROOT

DEPLOY = ROOT / "deploy"
MANIFESTS = {
    path.stem: list(yaml.safe_load_all(path.read_text())) for path in (DEPLOY / "kuberay").glob("*.yaml")
}
SERVICE = MANIFESTS["service"][0]
JOBS = {name: MANIFESTS[name][0] for name in ("batch", "training")}
CLUSTERS = {"service": SERVICE["spec"]["rayClusterConfig"]} | {
    name: job["spec"]["rayClusterSpec"] for name, job in JOBS.items()
}
LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{,61}[a-z0-9])?")
"""A name in Kubernetes (RFC 1123). The schema takes any string."""


def pods(cluster: Any) -> list[Any]:
    return [group["template"]["spec"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]


@pytest.mark.parametrize("name", CLUSTERS)
def test_cluster(name: str) -> None:
    cluster = CLUSTERS[name]
    assert cluster["rayVersion"] == ray.__version__
    assert cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    for group in cluster["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]
    options = {word for option in ray_start.params for word in option.opts}
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        assert {f"--{key}" for key in group["rayStartParams"]} <= options


@pytest.mark.parametrize("name", CLUSTERS)
def test_pods(name: str) -> None:
    claims = {document["metadata"]["name"] for document in MANIFESTS["storage"]}
    for pod in pods(CLUSTERS[name]):
        assert pod["securityContext"] == {"runAsNonRoot": True, "runAsUser": 1000, "fsGroup": 1000}
        (container,) = pod["containers"]
        assert container["image"] in ("speechx:cpu", "speechx:cuda")
        assert container["imagePullPolicy"] == "IfNotPresent"  # of an image that `kind load` brings
        volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
        assert {mount["name"] for mount in container.get("volumeMounts", [])} == volumes.keys()
        for name in (container["name"], *volumes, *(port["name"] for port in container.get("ports", []))):
            assert LABEL.fullmatch(name)
        assert all(len(port["name"]) <= 15 for port in container.get("ports", []))
        mounted = {volume.get("persistentVolumeClaim", {}).get("claimName") for volume in volumes.values()}
        assert mounted - {None} <= claims


def test_ray_version_is_the_pinned_one() -> None:
    pins = set(re.findall(r"ray\[\w+\]>=(\d+\.\d+),<", (ROOT / "pyproject.toml").read_text()))
    assert pins == {".".join(CLUSTERS["service"]["rayVersion"].split(".")[:2])}


def test_serve_config() -> None:
    config = ServeDeploySchema.model_validate(yaml.safe_load(SERVICE["spec"]["serveConfigV2"]))
    (application,) = config.applications
    args = AppArgs.model_validate(application.args)  # refuses unknown fields
    assert application.import_path == "speechx.serving.cluster.router:build"
    assert config.http_options.host == "0.0.0.0" and config.http_options.port == 8000
    routers, models = CLUSTERS["service"]["workerGroupSpecs"]
    free = float(routers["rayStartParams"]["num-cpus"]) - args.routers * args.router_cpus
    assert 0 <= free < args.cpus <= float(models["rayStartParams"]["num-cpus"]), (
        "no model fits beside the routers"
    )
    assert models["maxReplicas"] == args.max_replicas and models["minReplicas"] == 0
    workers = [pod["containers"][0] for pod in pods(CLUSTERS["service"])[1:]]
    mounted = {mount["mountPath"] for container in workers for mount in container["volumeMounts"]}
    assert {args.replica.voices, args.settings.voices} == mounted


@pytest.mark.parametrize(
    "path",
    [
        *(ROOT / "serving" / "config").glob("*.yaml"),
        DEPLOY / "kuberay" / "service.yaml",
        DEPLOY / "ray-serve.yaml",
    ],
)
def test_ray_builds_the_application_from_a_file(path: Path) -> None:
    """By Ray's own function: it passes the arguments of a builder on as a dict, unless it understands its annotation."""
    values = yaml.safe_load(path.read_text())
    config = ServeDeploySchema.model_validate(
        yaml.safe_load(values["spec"]["serveConfigV2"]) if "spec" in values else values
    )
    (application,) = config.applications
    builder = import_attr(application.import_path)
    made = call_user_app_builder_with_args_if_necessary(builder, application.args)
    assert isinstance(made, Application)
    with pytest.raises(ValidationError, match="replics"):
        call_user_app_builder_with_args_if_necessary(builder, {"replics": 2})


def test_nodes_have_the_environment_of_the_server() -> None:
    for pod in pods(CLUSTERS["service"]):
        variables = {variable["name"]: variable.get("value") for variable in pod["containers"][0]["env"]}
        assert SERVE_ENVIRONMENT.items() <= variables.items()
        assert {"SPEECHX_API_KEYS", "MALLOC_ARENA_MAX"} <= variables.keys()


def parsed(command: typer.core.TyperCommand | Any, words: list[str]) -> dict[str, Any]:
    """The options of a command line; nothing runs."""
    return dict(command.make_context("speechx", words).params)


@pytest.mark.parametrize("name", JOBS)
def test_an_entrypoint_is_the_same_to_a_shell(name: str) -> None:
    """KubeRay pastes it into a line of bash, which runs in a pod without our volumes."""
    entrypoint = JOBS[name]["spec"]["entrypoint"]
    assert re.fullmatch(r"speechx [\w./: -]+", entrypoint)


def test_batch() -> None:
    app = typer.Typer()
    app.command()(batch)
    options = parsed(typer.main.get_command(app), shlex.split(JOBS["batch"]["spec"]["entrypoint"])[2:])
    assert options["ray"]
    # A failed row fails the job, so KubeRay starts a cluster again: once, and for something.
    assert options["retry_failed"] and JOBS["batch"]["spec"]["backoffLimit"] == 1


def test_training() -> None:
    words = shlex.split(JOBS["training"]["spec"]["entrypoint"])
    group: Any = typer.main.get_command(train.app)
    options = parsed(group.commands["lm"], words[3:])
    assert words[:3] == ["speechx", "train", "lm"] and options["auto_resume"]
    (worker,) = CLUSTERS["training"]["workerGroupSpecs"]
    limits = worker["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert limits["nvidia.com/gpu"] == str(options["workers"]) and options["gpus"]
    assert int(limits["cpu"]) >= options["workers"] * options["cpus"]


def test_the_training_is_repeated_by_the_same_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one process, with a tiny network: each start ends after a step. On Ray: tests/serving/cluster/test_training.py."""
    trainings.make_data(tmp_path)
    (tmp_path / "tiny.yaml").write_text("preset: tiny\nsteps: 3\nbatch_steps: 300\nlog_every: 1\n")
    monkeypatch.chdir(tmp_path)
    small = {
        "gpu/lm-base": "tiny.yaml", "/data/shards/train": "shards", "/data/shards/dev": "shards",
        "/data/codec": "codec", "/data/runs/lm": "out",
    }  # fmt: skip
    line = JOBS["training"]["spec"]["entrypoint"].replace(" --workers 8 --gpus --cpus 8", "")
    words = [small.get(word, word) for word in shlex.split(line)[1:]]
    assert set(small.values()) <= set(words)
    for steps in ([1], [1, 2], [1, 2, 3]):
        assert main([*words, "--max-minutes", "0"]) == 0
        assert [row["step"] for row in read_log("out/log.csv")] == steps


def test_ingress_leads_to_the_service() -> None:
    (ingress,) = MANIFESTS["ingress"]
    assert ingress["apiVersion"] == "networking.k8s.io/v1" and ingress["spec"]["tls"]
    (rule,) = ingress["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    assert path["path"] == "/v1"  # /metrics and /readyz stay inside
    assert path["backend"]["service"] == {
        "name": f"{SERVICE['metadata']['name']}-serve-svc",
        "port": {"number": 8000},
    }
    assert rule["host"] in ingress["spec"]["tls"][0]["hosts"]


def test_ray_up() -> None:
    config = yaml.safe_load((DEPLOY / "ray-up.yaml").read_text())
    schema = Path(ray.__file__).parent / "autoscaler" / "ray-schema.json"
    jsonschema.validate(config, json.loads(schema.read_text()))
    assert config["max_workers"] == len(config["provider"]["worker_ips"])
    ((inside, outside),) = config["file_mounts"].items()
    assert f"'serve deploy {inside}/ray-serve.yaml'" in (ROOT / "docs" / "cluster.md").read_text()
    served = yaml.safe_load((ROOT / outside / "ray-serve.yaml").read_text())
    assert served["http_options"]["host"] == "0.0.0.0"
    args = AppArgs.model_validate(served["applications"][0]["args"])
    (volume,) = (words for words in config["docker"]["run_options"] if words.startswith("--volume"))
    shared = volume.rpartition(":")[2]
    assert {args.replica.voices, args.settings.voices} == {f"{shared}/voices"}


def test_dockerfile() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    stage = text.rpartition("\nFROM ")[2]
    for line in (
        "USER 1000",
        "HEALTHCHECK",
        'CMD ["speechx", "serve", "--host", "0.0.0.0"]',
        "ARG TORCH_INDEX=",
    ):
        assert line in stage
    # KubeRay's probes and `ray up` call them in the container.
    assert {"wget", "rsync", "openssh-client"} <= set(stage.split())
    assert stage.index("RUN pip install") < stage.index("USER 1000"), "the program is not the user's"
    extras = re.search(r"ARG EXTRAS=(\S+)", stage)
    assert extras is not None
    project = (ROOT / "pyproject.toml").read_text()
    for extra in extras[1].split(","):
        assert re.search(rf"^{extra} = \[", project, re.MULTILINE)
    assert re.search(r'"(torch>=[^"]+)"', text)[1] in project  # type: ignore[index]
    kept = set((DEPLOY / "Dockerfile.dockerignore").read_text().split("\n"))
    packed = re.search(r"only-include = (\[.*\])", project)
    assert packed is not None and {f"!{name}" for name in json.loads(packed[1])} <= kept

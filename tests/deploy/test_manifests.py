"""What is in deploy/ has the fields that KubeRay, Kubernetes and Ray know, and says the same as the code."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

import jsonschema
import pytest
import ray
import typer
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ray._common.utils import import_attr
from ray.serve import Application
from ray.serve._private.api import call_user_app_builder_with_args_if_necessary
from ray.serve.schema import ServeDeploySchema

from speechx.cli import train
from speechx.cli.batch import batch
from speechx.serving.cluster.local import SERVE_ENVIRONMENT
from speechx.serving.cluster.router import AppArgs
from tests.house.test_layout import ROOT

DEPLOY = ROOT / "deploy"
MANIFESTS = {
    path.stem: list(yaml.safe_load_all(path.read_text())) for path in (DEPLOY / "kuberay").glob("*.yaml")
}
Quantities = dict[
    Literal["cpu", "memory", "nvidia.com/gpu", "storage"], Annotated[str, Field(pattern=r"^\d+(Mi|Gi)?$")]
]
Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]


class Strict(BaseModel):
    """The fields that our manifests use: those of ray.io/v1 in KubeRay 1.6 and 1.7, and of Kubernetes' core v1."""

    model_config = ConfigDict(extra="forbid")


class Metadata(Strict):
    name: Name
    annotations: dict[str, str] = {}


class KeyRef(Strict):
    name: Name
    key: str
    optional: bool = False


class ValueFrom(Strict):
    secretKeyRef: KeyRef


class Variable(Strict):
    name: Annotated[str, Field(pattern=r"^\w+$")]
    value: str | None = None
    valueFrom: ValueFrom | None = None


class Port(Strict):
    containerPort: int
    name: Annotated[str, Field(max_length=15)]


class Mount(Strict):
    name: Name
    mountPath: Annotated[str, Field(pattern="^/")]


class Claim(Strict):
    claimName: Name


class EmptyDir(Strict):
    medium: Literal["Memory"]
    sizeLimit: str


class Volume(Strict):
    name: Name
    persistentVolumeClaim: Claim | None = None
    emptyDir: EmptyDir | None = None


class Resources(Strict):
    requests: Quantities
    limits: Quantities


class Container(Strict):
    name: Name
    image: Literal["speechx:cpu", "speechx:cuda"]
    imagePullPolicy: Literal["IfNotPresent"]
    env: list[Variable] = []
    ports: list[Port] = []
    volumeMounts: list[Mount] = []
    resources: Resources


class SecurityContext(Strict):
    runAsNonRoot: Literal[True]
    runAsUser: Literal[1000]
    fsGroup: Literal[1000]


class PodSpec(Strict):
    securityContext: SecurityContext
    containers: Annotated[list[Container], Field(min_length=1, max_length=1)]
    volumes: list[Volume] = []


class Pod(Strict):
    spec: PodSpec


class StartParams(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=lambda name: name.replace("_", "-"))

    num_cpus: str | None = None
    object_store_memory: str | None = None


class HeadGroup(Strict):
    rayStartParams: StartParams
    template: Pod


class WorkerGroup(HeadGroup):
    groupName: Name
    replicas: int
    minReplicas: int
    maxReplicas: int


class AuthOptions(Strict):
    mode: Literal["token"]


class AutoscalerOptions(Strict):
    version: Literal["v2"]
    idleTimeoutSeconds: int


class RayClusterSpec(Strict):
    rayVersion: str
    authOptions: AuthOptions
    enableInTreeAutoscaling: bool
    autoscalerOptions: AutoscalerOptions
    headGroupSpec: HeadGroup
    workerGroupSpecs: list[WorkerGroup]


class UpgradeStrategy(Strict):
    type: Literal["NewCluster", "NewClusterWithIncrementalUpgrade", "None"]


class ServiceSpec(Strict):
    excludeHeadPodFromServeSvc: bool
    upgradeStrategy: UpgradeStrategy
    serveConfigV2: str
    rayClusterConfig: RayClusterSpec


class JobSpec(Strict):
    entrypoint: str
    shutdownAfterJobFinishes: bool
    ttlSecondsAfterFinished: int
    backoffLimit: int
    rayClusterSpec: RayClusterSpec


class RayServiceManifest(Strict):
    apiVersion: Literal["ray.io/v1"]
    kind: Literal["RayService"]
    metadata: Metadata
    spec: ServiceSpec


class RayJobManifest(Strict):
    apiVersion: Literal["ray.io/v1"]
    kind: Literal["RayJob"]
    metadata: Metadata
    spec: JobSpec


SERVICE = RayServiceManifest.model_validate(MANIFESTS["service"][0])
JOBS = {name: RayJobManifest.model_validate(MANIFESTS[name][0]) for name in ("batch", "training")}
CLUSTERS = {"service": SERVICE.spec.rayClusterConfig} | {
    n: job.spec.rayClusterSpec for n, job in JOBS.items()
}


def pods(cluster: RayClusterSpec) -> list[PodSpec]:
    return [group.template.spec for group in (cluster.headGroupSpec, *cluster.workerGroupSpecs)]


@pytest.mark.parametrize("name", CLUSTERS)
def test_cluster(name: str) -> None:
    cluster = CLUSTERS[name]
    assert cluster.rayVersion == ray.__version__
    assert cluster.headGroupSpec.rayStartParams.num_cpus == "0"
    claims = {doc["metadata"]["name"] for doc in MANIFESTS["storage"]}
    for group in cluster.workerGroupSpecs:
        assert group.minReplicas <= group.replicas <= group.maxReplicas
    for pod in pods(cluster):
        (container,) = pod.containers
        assert {mount.name for mount in container.volumeMounts} == {volume.name for volume in pod.volumes}
        assert {v.persistentVolumeClaim.claimName for v in pod.volumes if v.persistentVolumeClaim} <= claims


def test_ray_version_is_the_pinned_one() -> None:
    pins = set(re.findall(r"ray\[\w+\]>=(\d+\.\d+),<", (ROOT / "pyproject.toml").read_text()))
    assert pins == {".".join(SERVICE.spec.rayClusterConfig.rayVersion.split(".")[:2])}


def test_serve_config() -> None:
    config = ServeDeploySchema.model_validate(yaml.safe_load(SERVICE.spec.serveConfigV2))
    (application,) = config.applications
    args = AppArgs.model_validate(application.args)  # refuses unknown fields
    assert application.import_path == "speechx.serving.cluster.router:build"
    assert config.http_options.host == "0.0.0.0" and config.http_options.port == 8000
    routers, models = SERVICE.spec.rayClusterConfig.workerGroupSpecs
    free = float(routers.rayStartParams.num_cpus or 0) - args.routers * args.router_cpus
    assert 0 <= free < args.cpus <= float(models.rayStartParams.num_cpus or 0), (
        "no model fits beside the routers"
    )
    assert models.maxReplicas == args.max_replicas and models.minReplicas == 0
    workers = [pod.containers[0] for pod in pods(SERVICE.spec.rayClusterConfig)[1:]]
    mounted = {mount.mountPath for container in workers for mount in container.volumeMounts}
    assert {args.replica.voices, args.settings.voices} == mounted


@pytest.mark.parametrize(
    "path", [*(ROOT / "serving" / "config").glob("*.yaml"), DEPLOY / "kuberay" / "service.yaml"]
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
    for pod in pods(SERVICE.spec.rayClusterConfig):
        variables = {variable.name: variable.value for variable in pod.containers[0].env}
        assert SERVE_ENVIRONMENT.items() <= variables.items()
        assert {"SPEECHX_API_KEYS", "MALLOC_ARENA_MAX"} <= variables.keys()


def parsed(command: typer.core.TyperCommand | Any, words: list[str]) -> dict[str, Any]:
    """The options of a command line; nothing runs."""
    return dict(command.make_context("speechx", words).params)


def test_entrypoints_are_commands() -> None:
    app = typer.Typer()
    app.command()(batch)
    words = shlex.split(JOBS["batch"].spec.entrypoint)
    assert words[:2] == ["speechx", "batch"]
    assert parsed(typer.main.get_command(app), words[2:])["ray"]
    shell, option, line = shlex.split(JOBS["training"].spec.entrypoint)
    assert (shell, option) == ("bash", "-c")
    line = re.sub(r"\$\(test -e (\S+)/last\.pt && echo (--resume)\)", r"\2", line)
    words = shlex.split(line)
    assert words[:3] == ["speechx", "train", "lm"] and words[-1] == "--resume"
    group: Any = typer.main.get_command(train.app)
    options = parsed(group.commands["lm"], words[3:])
    (worker,) = CLUSTERS["training"].workerGroupSpecs
    limits = worker.template.spec.containers[0].resources.limits
    assert limits["nvidia.com/gpu"] == str(options["workers"]) and options["gpus"]
    assert int(limits["cpu"]) >= options["workers"] * options["cpus"]


def test_ingress_leads_to_the_service() -> None:
    (ingress,) = MANIFESTS["ingress"]
    assert ingress["apiVersion"] == "networking.k8s.io/v1" and ingress["spec"]["tls"]
    (rule,) = ingress["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    assert path["path"] == "/v1"  # /metrics and /readyz stay inside
    assert path["backend"]["service"] == {
        "name": f"{SERVICE.metadata.name}-serve-svc",
        "port": {"number": 8000},
    }
    assert rule["host"] in ingress["spec"]["tls"][0]["hosts"]


def test_ray_up() -> None:
    config = yaml.safe_load((DEPLOY / "ray-up.yaml").read_text())
    schema = Path(ray.__file__).parent / "autoscaler" / "ray-schema.json"
    jsonschema.validate(config, json.loads(schema.read_text()))
    assert config["max_workers"] == len(config["provider"]["worker_ips"])


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

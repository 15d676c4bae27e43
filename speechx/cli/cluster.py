"""Options of commands that run on a cluster, and the launchers behind them. Nothing here imports Ray."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from speechx.batch.job import ClusterOptions, Runner
from speechx.errors import InputError

if TYPE_CHECKING:
    from speechx.data.pairs import PairMapper
    from speechx.data.refiner_examples import EstimateMapper

__all__ = [
    "ActorsOption",
    "AddressOption",
    "CpusOption",
    "DeviceOption",
    "GpusOption",
    "RayOption",
    "cluster_estimator",
    "cluster_mixer",
    "cluster_options",
    "cluster_runner",
    "launcher",
]

RayOption = Annotated[bool, typer.Option("--ray", help="run on Ray: one of its own, or the one at --address")]
AddressOption = Annotated[str | None, typer.Option(help="Ray cluster to join (auto, or host:port)")]
ActorsOption = Annotated[str, typer.Option(help="with --ray: models at once, N or MIN:MAX")]
CpusOption = Annotated[float, typer.Option(min=0, help="with --ray: CPUs reserved for an actor")]
GpusOption = Annotated[float, typer.Option(min=0, help="with --ray: GPUs reserved for an actor")]
DeviceOption = Annotated[str, typer.Option(help="torch device of the language model")]


def cluster_options(
    model: Path | None,
    slots: int,
    address: str | None,
    actors: str,
    cpus: float,
    gpus: float,
    device: str,
    codec: str | None = None,
) -> ClusterOptions:
    """Raises InputError for a range that is none."""
    fewest, colon, most = actors.partition(":")
    most = most if colon else fewest
    if not (fewest.isdecimal() and most.isdecimal() and 1 <= int(fewest) <= int(most)):
        raise InputError(f"actors: {actors!r} is neither N nor MIN:MAX, at least 1", field="actors")
    folder = None if model is None else str(model.absolute())
    return ClusterOptions(address, (int(fewest), int(most)), slots, cpus, gpus, device, folder, codec)


def cluster_runner(options: ClusterOptions) -> Runner:
    """Runs rows of batch jobs on Ray."""
    _check_gpus(options)
    return cast(Runner, launcher("batch")(options))


def cluster_mixer(options: ClusterOptions) -> PairMapper:
    """Makes training pairs on Ray."""
    return cast("PairMapper", launcher("mix")(options))


def cluster_estimator(options: ClusterOptions) -> EstimateMapper:
    """Makes examples of the refiner on Ray."""
    _check_gpus(options)
    return cast("EstimateMapper", launcher("estimate")(options))


def _check_gpus(options: ClusterOptions) -> None:
    if options.device.startswith("cuda") and not options.gpus:
        raise InputError("gpus: an actor sees no GPU without --gpus: give it 1, or a part", field="gpus")


def launcher(name: str) -> Callable[..., object]:
    """A function of the layers above, which know Ray and evaluation: an entry point of `speechx.launchers`.

    Raises InputError where the installed package is older than its code.
    """
    point = next(iter(entry_points(group="speechx.launchers", name=name)), None)
    if point is None:
        raise InputError(
            f"launcher: the installed package has no {name!r}: install it again", field="launcher"
        )
    return cast(Callable[..., object], point.load())

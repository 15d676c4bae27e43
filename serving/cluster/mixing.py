"""Training data on Ray Data, in blocks, in the order of their numbers: pairs for `speechx data mix --ray`, examples of the
refiner for `speechx data estimate --ray`.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from typing import Any, cast

from speechx.batch.job import ClusterOptions
from speechx.data.pairs import BLOCK, MadePair, PairMaker, PairMapper, PairSource
from speechx.data.refiner_examples import EstimateMaker, EstimateMapper, EstimateSource, StoredEstimate
from speechx.pipeline.loading import load_pipeline
from speechx.serving.cluster.batch import configure, connection

import ray.data  # isort: skip

__all__ = ["EstimateActor", "PairActor", "ray_estimator", "ray_mixer"]

ROUNDS = 4
"""Examples in a block, for each slot of an actor's engine: its batch runs dry at the end of a block."""


class PairActor:
    """A `PairMaker` in an actor of its own."""

    def __init__(self, source: PairSource) -> None:
        self.maker = PairMaker(source)

    def __call__(self, row: dict[str, Any]) -> dict[str, bytes]:
        made = [
            self.maker.make(row["task"], row["seed"], index) for index in range(row["first"], row["stop"])
        ]
        return {"made": pickle.dumps(made)}


class EstimateActor:
    """An `EstimateMaker` with a model, in an actor of its own."""

    def __init__(self, source: EstimateSource, options: ClusterOptions) -> None:
        pipeline = load_pipeline(
            options.model, codec=options.codec, device=options.device, slots=options.slots
        )
        self.maker = EstimateMaker(source, pipeline)

    def __call__(self, row: dict[str, Any]) -> dict[str, bytes]:
        indices = range(row["first"], row["stop"])
        made = list(self.maker.make(row["task"], row["seed"], indices, len(indices)))
        return {"made": pickle.dumps(sorted(made, key=lambda estimate: estimate.row["index"]))}


def ray_mixer(options: ClusterOptions) -> PairMapper:
    """Makes pairs on the cluster at `options.address`, else on a Ray of its own."""

    def run(source: PairSource, task: str, seed: int, count: int) -> Iterator[MadePair]:
        blocks = _blocks(task, seed, range(count), BLOCK)
        yield from _mapped(PairActor, (source,), blocks, options)

    return run


def ray_estimator(options: ClusterOptions) -> EstimateMapper:
    """Makes examples of the refiner on the cluster at `options.address`, else on a Ray of its own."""

    def run(
        source: EstimateSource, task: str, seed: int, indices: range, count: int
    ) -> Iterator[StoredEstimate]:
        blocks = _blocks(task, seed, indices, ROUNDS * options.slots)
        made = cast("Iterator[StoredEstimate]", _mapped(EstimateActor, (source, options), blocks, options))
        with closing(cast(Any, made)):
            yield from islice(made, count)

    return run


def _blocks(task: str, seed: int, indices: range, size: int) -> list[dict[str, Any]]:
    parts = (indices[at : at + size] for at in range(0, len(indices), size))
    return [{"task": task, "seed": seed, "first": part.start, "stop": part.stop} for part in parts]


def _mapped(
    actor: type, arguments: tuple[object, ...], blocks: list[dict[str, Any]], options: ClusterOptions
) -> Iterator[Any]:
    """What the actors make of the blocks, one after the other; no more blocks are begun than are taken."""
    if not blocks:
        return
    with connection(options):
        configure(max_errored_blocks=0, in_order=True)
        data = ray.data.from_items(blocks, override_num_blocks=len(blocks)).map(
            cast(Any, actor),
            fn_constructor_args=arguments,
            compute=ray.data.ActorPoolStrategy(min_size=options.actors[0], max_size=options.actors[1]),
            num_cpus=options.cpus,
            num_gpus=options.gpus,
        )
        with closing(cast(Any, iter(data.iter_rows()))) as rows:
            for row in rows:
                yield from pickle.loads(row["made"])

"""Training pairs on Ray Data, for `speechx data mix --ray`: blocks of pairs, in the order of their numbers."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import closing
from typing import Any, cast

from speechx.batch.job import ClusterOptions
from speechx.data.pairs import BLOCK, MadePair, PairMaker, PairMapper, PairSource
from speechx.serving.cluster.batch import configure, connection

import ray.data  # isort: skip

__all__ = ["PairActor", "ray_mixer"]


class PairActor:
    """A `PairMaker` in an actor of its own."""

    def __init__(self, source: PairSource) -> None:
        self.maker = PairMaker(source)

    def __call__(self, row: dict[str, Any]) -> dict[str, bytes]:
        made = [
            self.maker.make(row["task"], row["seed"], index) for index in range(row["first"], row["stop"])
        ]
        return {"made": pickle.dumps(made)}


def ray_mixer(options: ClusterOptions) -> PairMapper:
    """Makes pairs on the cluster at `options.address`, else on a Ray of its own."""

    def run(source: PairSource, task: str, seed: int, count: int) -> Iterator[MadePair]:
        with connection(options):
            configure(max_errored_blocks=0, in_order=True)
            blocks = [
                {"task": task, "seed": seed, "first": first, "stop": min(count, first + BLOCK)}
                for first in range(0, count, BLOCK)
            ]
            data = ray.data.from_items(blocks, override_num_blocks=len(blocks)).map(
                cast(Any, PairActor),
                fn_constructor_args=(source,),
                compute=ray.data.ActorPoolStrategy(min_size=options.actors[0], max_size=options.actors[1]),
                num_cpus=options.cpus,
            )
            with closing(cast(Any, iter(data.iter_rows()))) as rows:  # no more than are taken
                for row in rows:
                    yield from pickle.loads(row["made"])

    return run

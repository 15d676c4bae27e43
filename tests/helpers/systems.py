"""Systems that give the truth, or fail on purpose."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from speechx.eval.items import Item, Output
from speechx.eval.rows import Kind
from speechx.eval.systems.systems import ground_truth


class NoisyTruth:
    """The truth with some noise; fails on the items named."""

    kind: Kind = "model"
    name = "speechx"

    def __init__(self, noise: float = 0.0, fails: Iterable[str] = ()) -> None:
        self.noise, self.fails = noise, set(fails)
        self.asked: list[str] = []

    def outputs(self, items: Iterable[Item]) -> Iterator[tuple[Item, Output | Exception]]:
        rng = np.random.default_rng(0)
        for item in items:
            self.asked.append(item.id)
            if item.id in self.fails:
                yield item, RuntimeError("it does not want to")
                continue
            wav_T = ground_truth(item)
            yield (
                item,
                Output(
                    wav_T + self.noise * rng.standard_normal(len(wav_T)).astype(np.float32),
                    info={"rtf": 0.1, "seed": 1},
                ),
            )


class FaultySystem:
    """The truth, but for some seeds."""

    kind: Kind = "model"
    name = "speechx"

    def outputs(self, items: Iterable[Item]) -> Iterator[tuple[Item, Output | Exception]]:
        for item in items:
            wav_T = ground_truth(item)
            if item.fields["seed"] == 2:
                yield item, RuntimeError("no")
            elif item.fields["seed"] == 3:
                yield item, Output(0 * wav_T)
            elif item.fields["seed"] == 4:
                yield item, Output(np.concatenate([wav_T, wav_T]))
            elif item.fields["seed"] == 5:
                yield item, Output(wav_T, info={"truncated": True})
            else:
                yield item, Output(wav_T)

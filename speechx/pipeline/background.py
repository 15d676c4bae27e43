"""Work that a job does beside its decoding steps: sound from codes, and scores of candidates.

It has one of torch's threads wherever it is done: with two, sound differs in its last bits, and the same seed would not
always give the same sound.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

import torch

from speechx.engine.threads import cpu_threads

__all__ = ["Background", "OneThread", "at_once"]

T = TypeVar("T")


class Background(Protocol):
    """Calls functions one after the other, here or in another thread."""

    def __call__(self, function: Callable[[], T]) -> Future[T]: ...


def at_once(function: Callable[[], T]) -> Future[T]:
    """A `Background` that is none."""
    result = Future[T]()
    try:
        with cpu_threads(1):
            result.set_result(function())
    except Exception as error:  # whoever asks for the result gets it
        result.set_exception(error)
    return result


class OneThread:
    """A `Background` in a thread that is started when it is first needed, with one of torch's threads."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None

    def __call__(self, function: Callable[[], T]) -> Future[T]:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, "speechx-render", _one_thread)
            self._pool.submit(int).result()
            torch.set_num_threads(torch.get_num_threads())  # of threads that begin later, which now have one
        return self._pool.submit(function)

    def settle(self) -> None:
        """Waits until everything is done."""
        if self._pool is not None:
            self._pool.submit(int).result()


def _one_thread() -> None:
    torch.get_num_threads()  # takes the default for good
    torch.set_num_threads(1)

"""Several coroutines at once from code that is not asynchronous."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import Any, TypeVar

__all__ = ["run_concurrently"]

T = TypeVar("T")
R = TypeVar("R")


def run_concurrently(
    act: Callable[[T], Coroutine[Any, Any, R]], items: Iterable[T], at_once: int
) -> Iterator[tuple[T, R | Exception]]:
    """(item, result or exception) as they are done, up to `at_once` under way.

    Ctrl-C and leaving early cancel the rest.
    """
    waiting, running = iter(items), dict[asyncio.Task[R], T]()
    loop = asyncio.new_event_loop()
    try:
        while True:
            while len(running) < at_once and (item := next(waiting, None)) is not None:
                running[loop.create_task(act(item))] = item
            if not running:
                return
            done, _ = loop.run_until_complete(asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED))
            for task in done:
                error = task.exception()
                if error is not None and not isinstance(error, Exception):
                    raise error  # Ctrl-C
                yield running.pop(task), error if error is not None else task.result()
    finally:
        for task in running:
            task.cancel()
        if running:
            loop.run_until_complete(asyncio.wait(running))
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()

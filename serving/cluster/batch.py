"""Batch jobs on Ray Data: an actor pool with a model per actor. `speechx batch MANIFEST --output URI --ray` uses it.

A block has one row, and an actor has more calls under way than its engine has slots, so that the engine's batch stays
full and a short row does not wait for a long one. Ray restarts actors that die and runs their rows again. Rows and results
are JSON texts, which keep their types in Arrow. Sounds do not pass through Ray: actors write them to the folder of results.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import socket
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, cast

from speechx.batch.job import ClusterOptions, Runner
from speechx.batch.rows import ManifestRow, ResultRow
from speechx.batch.worker import BatchWorker, error_row
from speechx.cli.console import say
from speechx.errors import InputError
from speechx.files import Storage
from speechx.pipeline.loading import load_pipeline
from speechx.pipeline.local_engine import LocalEngine
from speechx.serving.cluster import local  # before ray

import ray  # isort: skip
import ray.data  # isort: skip
from ray.util.annotations import RayDeprecationWarning  # isort: skip

__all__ = ["RowActor", "ray_runner"]

ATTEMPTS = 2  # of a row whose actor dies, beside others and then once more alone
MANY_ROWS = 20_000
"""From here on a block has several rows: a block costs the driver 8 ms."""
ROWS_PER_BLOCK = 4


class RowActor:
    """A model in an actor of its own. Ray Data calls it for many rows at once."""

    def __init__(self, options: ClusterOptions, store: Storage, model: str) -> None:
        pipeline = load_pipeline(
            options.model, codec=options.codec, device=options.device, slots=options.slots
        )
        if pipeline.model != model:
            raise InputError(
                f"model: a node has the weights {pipeline.model}, the job was started with {model}",
                field="model",
            )
        self.worker = BatchWorker(LocalEngine(pipeline), store, model)

    async def __call__(self, row: dict[str, str]) -> dict[str, str]:
        result = await self.worker.perform(ManifestRow.from_json(row["row"]))
        return {"result": json.dumps(result)}


def ray_runner(options: ClusterOptions, actor: type[RowActor] = RowActor) -> Runner:
    """Runs rows on the cluster at `options.address`, else on a Ray of its own that ends with the job.

    Where this process is connected to a Ray already, it is used.
    """

    def run(rows: Sequence[ManifestRow], store: Storage, model: str) -> Iterator[ResultRow]:
        with connection(options):
            yield from _results(rows, options, actor, (options, store, model))

    return run


@contextlib.contextmanager
def connection(options: ClusterOptions, log_to_driver: bool = False) -> Iterator[None]:
    """Ray, connected. Its errors become InputError with one sentence. log_to_driver: print what the workers print."""
    most = math.ceil(options.actors[1] * options.cpus)
    if not (joined := ray.is_initialized()):
        _connect(options.address, max(most, len(os.sched_getaffinity(0))), log_to_driver)
    try:
        _check_room(options, alone=not joined and _address(options.address) is None)
        yield
    except ray.exceptions.RayError as error:
        raise _job_error(error) from error
    finally:
        if not joined:
            ray.shutdown()


def _check_room(options: ClusterOptions, alone: bool) -> None:
    """Says that more nodes have to come. Raises InputError where none will: Ray is `alone` on this machine."""
    for name, field, each in (("CPU", "cpus", options.cpus), ("GPU", "gpus", options.gpus)):
        wanted, there = options.actors[0] * each, ray.cluster_resources().get(name, 0)
        if wanted > there and alone:
            raise InputError(
                f"{field}: this machine has {there:g} {name}s, the first actors need {wanted:g}", field=field
            )
        if wanted > there:
            say(
                f"the cluster has {there:g} {name}s, the first actors need {wanted:g}: waiting for more nodes"
            )


def configure(max_errored_blocks: int, in_order: bool) -> None:
    """Settings of data sets that are made from now on: each keeps a copy of them."""
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = max_errored_blocks
    context.execution_options.preserve_order = in_order
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)


def _connect(address: str | None, cpus: int, log_to_driver: bool) -> None:
    """Raises InputError, field "address", where no Ray answers: within seconds, of which Ray would take 130."""
    joins = _address(address)
    where = joins or "this machine"
    try:
        host, _, port = where.rpartition(":")
        if host and port.isdecimal():
            _check_grpc(host, int(port))
        # The security of a cluster that is joined is not this job's.
        local.start(cpus, log_to_driver=log_to_driver, address=address, token=joins is None)
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(f"address: no Ray at {where}: {error}", field="address") from error


def _address(given: str | None) -> str | None:
    """Of the cluster that is joined; None where Ray is started on this machine."""
    return given or os.environ.get("RAY_ADDRESS") or None


def _check_grpc(host: str, port: int) -> None:
    """Raises OSError where no server answers as Ray's head does, by gRPC: HTTP/2, RFC 9113, section 3.4.

    With TLS it may be any server.
    """
    settings = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])  # an empty frame; the server's first one has the same type
    with socket.create_connection((host, port), timeout=10) as connection:
        if os.environ.get("RAY_USE_TLS") == "1":
            return
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings)
        answer = connection.recv(9)
        if answer[3:4] != settings[3:4]:
            raise ConnectionError("what listens there is no Ray")


def _job_error(error: ray.exceptions.RayError) -> InputError:
    """One sentence: an actor's own error if its model did not load, else the end of what Ray says."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    own = next((line.partition("InputError: ")[2] for line in lines if "InputError: " in line), "")
    return InputError(own or f"ray: {lines[-1]}: start the job again to continue", field="ray")


def _results(
    rows: Sequence[ManifestRow],
    options: ClusterOptions,
    actor: type[RowActor],
    arguments: tuple[ClusterOptions, Storage, str],
) -> Iterator[ResultRow]:
    """A result per row. Rows lost with their actors run again one by one, so that one that kills costs itself alone."""
    left = {row.id: row for row in rows}
    per_block = ROWS_PER_BLOCK if len(rows) > MANY_ROWS else 1
    together = ray.data.ActorPoolStrategy(
        min_size=options.actors[0],
        max_size=options.actors[1],
        max_concurrent_calls_per_actor=math.ceil((options.slots + 2) / per_block),
    )
    alone = ray.data.ActorPoolStrategy(size=options.actors[0], max_tasks_in_flight_per_actor=1)
    for pool, size in ((together, per_block), (alone, 1)):
        if left:
            data = _rows_of(list(left.values()), size)
            for item in _mapped(data, pool, options, actor, arguments).iter_rows():
                result: ResultRow = json.loads(item["result"])
                if left.pop(result["id"], None) is not None:
                    yield result
    for row in left.values():
        yield error_row(row, RuntimeError("its worker died each time"), arguments[2])


def _rows_of(rows: Sequence[ManifestRow], per_block: int) -> ray.data.Dataset:
    configure(max_errored_blocks=-1, in_order=False)  # a row that kills its actor does not end the job
    texts = [{"row": row.to_json()} for row in rows]
    return ray.data.from_items(texts, override_num_blocks=math.ceil(len(texts) / per_block))


def _mapped(
    data: ray.data.Dataset,
    pool: ray.data.ActorPoolStrategy,
    options: ClusterOptions,
    actor: type[RowActor],
    arguments: tuple[ClusterOptions, Storage, str],
) -> ray.data.Dataset:
    with warnings.catch_warnings():
        # Ray 2.64 will have no such keyword: see its release notes when the pin moves.
        warnings.simplefilter("ignore", RayDeprecationWarning)
        return data.map(
            cast(Any, actor), fn_constructor_args=arguments, compute=pool,
            num_cpus=options.cpus, num_gpus=options.gpus, max_task_retries=ATTEMPTS - 1,
        )  # fmt: skip

"""`speechx serve` and `speechx bench serve`."""

from __future__ import annotations

import errno
import os
import socket
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speechx.cli.console import (
    CodecOption,
    JsonOption,
    ModelOption,
    put_json,
    say,
)
from speechx.cli.remote import RemoteOption, remote_facts
from speechx.errors import InputError
from speechx.serving.types import JsonObject

if TYPE_CHECKING:
    from speechx.serving.cluster.replica import ReplicaOptions
    from speechx.serving.settings import Settings


def serve(
    model: ModelOption = None,
    codec: CodecOption = None,
    host: Annotated[str, typer.Option(help="address to listen on; 0.0.0.0 for all")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8000,
    replicas: Annotated[int, typer.Option(min=1, help="copies of the model")] = 1,
    max_replicas: Annotated[int | None, typer.Option(min=1, help="scale with the load up to so many")] = None,
    routers: Annotated[int, typer.Option(min=1, help="processes that speak HTTP; limits are per router")] = 1,
    slots: Annotated[int, typer.Option(min=1, help="requests in the engine's batch at once")] = 8,
    waiting: Annotated[int, typer.Option(min=0, help="requests that may wait for a slot")] = 8,
    device: Annotated[str, typer.Option(help="torch device of the language model")] = "cpu",
    voices: Annotated[str | None, typer.Option(help="folder or fsspec URL of voices")] = None,
    remote_tts: RemoteOption = None,
    api_keys: Annotated[
        Path | None, typer.Option(help="file of name:sha256 lines; makes keys required")
    ] = None,
    limit: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE of a limit in docs/serving.md, several times")
    ] = None,
    cors: Annotated[list[str] | None, typer.Option(help="origin that browsers may call from")] = None,
    address: Annotated[
        str | None, typer.Option(help="Ray cluster to join (auto, or host:port); default: a Ray of its own")
    ] = None,
    ray_without_token: Annotated[
        bool,
        typer.Option("--ray-without-token", help="allow a Ray that runs code for all who reach its ports"),
    ] = False,
    in_process: Annotated[
        bool, typer.Option("--in-process", help="one model in this process, without Ray")
    ] = False,
) -> None:
    """Serve all tasks over HTTP on this machine: see /docs there. Ctrl-C ends it."""
    from speechx.models.codec.sources import absolute_source
    from speechx.pipeline.loading import model_folder, parts_of
    from speechx.serving.cluster.replica import ReplicaOptions
    from speechx.serving.logs import json_lines
    from speechx.serving.settings import Limits, Settings

    folder = str(model_folder(model, parts_of(codec)).resolve())  # raises InputError before anything starts
    settings = Settings.from_env(
        voices=voices, limits=Limits.parse(limit or []), cors_origins=cors or [],
        **({"api_keys_file": str(api_keys.resolve())} if api_keys else {}),
    )  # fmt: skip
    if not _port_is_free(host, port):
        say(f"speechx: port {port} of {host} is in use: choose another one with --port")
        raise typer.Exit(1)
    options = ReplicaOptions(
        model=folder, codec=codec and absolute_source(codec), slots=slots, waiting=waiting, device=device, voices=voices,
        remote=remote_facts(remote_tts),
    )  # fmt: skip
    if in_process:
        for name, wanted in (("replicas", replicas > 1 or max_replicas), ("routers", routers > 1)):
            if wanted:
                raise InputError(f"{name}: with --in-process there is one", field=name)
        with json_lines():
            _in_process(options, settings, host, port)
        return
    numbers = {"replicas": replicas, "max_replicas": max_replicas, "routers": routers}
    with json_lines():
        _on_ray(options, settings, numbers, host, port, address, not ray_without_token)


def page(
    model: ModelOption = None,
    host: Annotated[str, typer.Option(help="address to listen on; 0.0.0.0 for all")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 7860,
    device: Annotated[str, typer.Option(help="torch device of the language model")] = "cpu",
    voices: Annotated[str | None, typer.Option(help="folder or fsspec URL of voices")] = None,
) -> None:
    """A page in the browser for every task: record, upload, listen, save. Ctrl-C ends it."""
    if find_spec("gradio") is None:
        raise InputError('the page needs the extra page: pip install "speechx[serve,page]"')
    serve(model=model, host=host, port=port, device=device, voices=voices, in_process=True)


def _port_is_free(host: str, port: int) -> bool:
    """Whether nobody listens there. Ray's proxies and ours would share the port with another server unnoticed."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        # Connections in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise InputError(
                    f"host: {host}:{port} cannot be used: {error.strerror}", field="host"
                ) from error
            return False
    return True


def _in_process(options: ReplicaOptions, settings: Settings, host: str, port: int) -> None:
    import uvicorn

    from speechx.pipeline.local_engine import LocalEngine
    from speechx.serving.app import build_app, welcome
    from speechx.serving.cluster.replica import make_engine

    if "at_once" not in settings.limits.model_fields_set:
        limits = settings.limits.model_copy(update={"at_once": options.slots + options.waiting})
        settings = settings.model_copy(update={"limits": limits})
    engine = make_engine(options)
    try:
        app = build_app(engine, settings)
        say(welcome(settings, f"http://{host}:{port}"))
        uvicorn.run(
            app, host=host, port=port, log_level="warning", log_config=None, access_log=False,
            timeout_graceful_shutdown=round(settings.limits.request_seconds),
        )  # fmt: skip
    finally:
        if isinstance(engine, LocalEngine):
            engine.close()


def _on_ray(
    options: ReplicaOptions, settings: Settings, numbers: dict[str, int | None], host: str, port: int,
    address: str | None, token: bool,
) -> None:  # fmt: skip
    """numbers: replicas, max_replicas and routers of AppArgs."""
    from speechx.serving.cluster.server import serve_until_stopped  # before ray

    from speechx.serving.cluster.router import AppArgs  # isort: skip

    processors = len(os.sched_getaffinity(0))
    most = max(numbers["replicas"] or 1, numbers["max_replicas"] or 0)
    devices = 0
    if options.device.startswith("cuda"):
        import torch

        devices = torch.cuda.device_count()
    args = AppArgs.model_validate({
        **numbers, "replica": options, "settings": settings, "gpus": min(1.0, devices / most),
        # All actors must fit on this machine, however few processors it has.
        "cpus": max(0.1, min(1.0, (processors - 0.5) / most)), "router_cpus": 0.2 / (numbers["routers"] or 1),
    })  # fmt: skip
    serve_until_stopped(args, host, port, max(2, processors), address, token)


def bench(
    url: Annotated[str | None, typer.Option(help="of a running server; default: some are started")] = None,
    servers: Annotated[
        str, typer.Option(help="what to start without --url: in-process, ray, or both with a comma")
    ] = "in-process,ray",
    model: ModelOption = None,
    clients: Annotated[str, typer.Option(help="numbers of clients at once")] = "1,2,4,8,16",
    tasks: Annotated[str, typer.Option(help="tasks with commas between, mixed, or all")] = "tts,mixed",
    seconds: Annotated[float, typer.Option(min=1, help="how long each number of clients asks")] = 20.0,
    replicas: Annotated[int, typer.Option(min=1, help="of a ray server that is started")] = 1,
    key: Annotated[str | None, typer.Option(help="API key", envvar="SPEECHX_API_KEY")] = None,
    json: JsonOption = False,
) -> None:
    """Load a server: first-audio p50 and p95, real-time factor, throughput, underruns, rejects, memory."""
    from speechx.cli.bench import machine
    from speechx.serving import load_test

    counts, names = (
        load_test.client_counts(clients),
        ["url"] if url else [s.strip() for s in servers.split(",")],
    )
    for name in names:
        if name not in ("url", "in-process", "ray"):
            raise InputError(f"servers: {name!r} is neither in-process nor ray", field="servers")
    requests = load_test.request_bodies(tasks)
    report: JsonObject = {"machine": machine(), "seconds": seconds, "loads": []}
    for name in names:
        with load_test.server(url, model, name == "ray", replicas) as (address, process):
            report["loads"] += load_test.measure(address, name, requests, counts, seconds, key, process)
    if json:
        put_json(report)
    else:
        typer.echo(load_test.as_text(report))

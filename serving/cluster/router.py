"""The Ray Serve application: a router (HTTP, limits, formats) in front of replicas (models).

serve run speechx.serving.cluster.router:build model=/models/mini replicas=2
serve deploy serving/config/cpu.yaml
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, cast

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field
from ray import serve
from ray.exceptions import RayActorError, RayTaskError
from ray.serve.exceptions import BackPressureError
from ray.serve.handle import DeploymentHandle

from speechx.errors import InputError
from speechx.pipeline.job import Chunk, Job
from speechx.pipeline.loading import learn_languages
from speechx.serving.app import build_app
from speechx.serving.cluster.guard import watch_raylet
from speechx.serving.cluster.ports import bind_to_node
from speechx.serving.cluster.replica import RemoteError, Replica, ReplicaOptions
from speechx.serving.errors import ApiError
from speechx.serving.settings import Settings
from speechx.serving.types import JsonObject, Sound

if TYPE_CHECKING:
    import numpy as np

    from speechx.pipeline.live_mask import LiveMask
    from speechx.text.types import WordTime

__all__ = ["AppArgs", "HandleEngine", "build", "drain"]

RETRIES = 3
FRESH_SECONDS, BUSY_SECONDS = 5.0, 2.0
LAST_BYTES_SECONDS = 0.5
"""For the last bytes of a response on their way through the proxy."""

ROUTER_ROOM = 128
"""Requests that a router holds beyond those under way and the bodies that it reads: it rejects them itself."""


class AppArgs(BaseModel):
    """Arguments of the application, for `serve deploy` and `serve run`."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    replicas: int = Field(1, ge=0, description="replicas, and the fewest when they scale")
    max_replicas: int | None = Field(
        None, ge=1, description="above `replicas`: scale with the load up to so many"
    )
    routers: int = Field(1, ge=1, description="processes that speak HTTP; limits are kept per router")
    cpus: float = Field(1.0, ge=0, description="CPUs that Ray reserves for a replica")
    gpus: float = Field(0.0, ge=0, description="GPUs that Ray reserves for a replica")
    router_cpus: float = Field(0.5, ge=0, description="CPUs that Ray reserves for a router")
    replica: ReplicaOptions = Field(default_factory=ReplicaOptions)
    settings: Settings = Field(default_factory=Settings)

    @property
    def has_page(self) -> bool:
        """Whether the page is served where it can be: a session of it lives in one router."""
        return self.settings.page and self.routers == 1


class HandleEngine:
    """SpeechEngine over the replicas. A job whose replica dies before its first chunk is retried on another one."""

    def __init__(self, handle: DeploymentHandle[Any]) -> None:
        self._handle = handle
        self._stream = handle.options(method_name="stream", stream=True)
        self._status = handle.options(method_name="status")
        self._voice_warning = handle.options(method_name="voice_warning")
        self._waiting: set[asyncio.Task[Any]] = set()  # for a chunk
        self._lost = False
        self._last_chunk_at = float("-inf")
        self._last_status: JsonObject = {}

    async def stream(self, job: Job) -> AsyncGenerator[Chunk, None]:
        """See SpeechEngine. Raises ApiError 429 where all replicas are full, 503 where one dies during the stream."""
        for attempt in range(RETRIES):
            left = 3600.0 if job.deadline is None else job.deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"job {job.id} was not begun by its deadline")
            response: Any = self._stream.remote(job.task, job.request, job.id, left)
            started = ended = False
            try:
                while (item := await self._next(response)) is not None:
                    if isinstance(item, RemoteError):
                        raise item.error()
                    started, self._last_chunk_at = True, time.monotonic()
                    ended = item.final
                    yield item
                ended = True
                return
            except BackPressureError as error:
                raise _full() from error
            except RayActorError as error:
                ended = True
                if started or attempt + 1 == RETRIES:
                    raise _replica_lost() from error
                await asyncio.sleep(0.1 * 2**attempt)
            except RayTaskError:
                ended = True
                raise
            finally:
                if not ended and not self._lost:
                    response.cancel()

    async def _next(self, response: Any) -> Chunk | RemoteError | None:
        """The next item, None at the end. Raises ApiError 503 where Ray is lost."""
        task = asyncio.current_task()
        assert task is not None
        self._waiting.add(task)
        try:
            if self._lost:
                raise _ray_lost()
            item: Chunk | RemoteError | None = await anext(response, None)
            return item
        except asyncio.CancelledError:
            if not self._lost:
                raise
            task.uncancel()
            raise _ray_lost() from None
        finally:
            self._waiting.discard(task)

    def give_up(self) -> None:
        """Ray is lost: fail all jobs, now and from now on. Called in another thread."""
        self._lost = True
        for task in list(self._waiting):
            task.get_loop().call_soon_threadsafe(task.cancel)

    async def status(self) -> JsonObject:
        """Status of one replica. A busy one that does not respond counts as ready while chunks arrive from it."""
        try:
            async with asyncio.timeout(BUSY_SECONDS):
                self._last_status = await self._status.remote()
        except Exception:
            if not self._last_status or time.monotonic() - self._last_chunk_at > FRESH_SECONDS:
                raise
        return self._last_status

    async def voice_warning(self, sound: Sound) -> str | None:
        """See Frontend.voice_warning."""
        warning: str | None = await self._voice_warning.remote(sound)
        return warning

    async def push_live(
        self, task: str, mask: LiveMask | None, wav_T: np.ndarray, last: bool
    ) -> tuple[np.ndarray, LiveMask]:
        """See `live_mask.push_live`. Any replica continues, so that the loss of one is not noticed."""
        return cast("tuple[np.ndarray, LiveMask]", await self._ask("push_live", task, mask, wav_T, last))

    async def align(self, sound: Sound, text: str, language: str) -> tuple[WordTime, ...]:
        """See LocalEngine.align."""
        return cast("tuple[WordTime, ...]", await self._ask("align", sound, text, language))

    async def _ask(self, method: str, *arguments: Any) -> object:
        """What a replica's method returns; of another one where it dies. Raises what `RemoteError` holds; ApiError."""
        handle = self._handle.options(method_name=method)
        for attempt in range(RETRIES):
            try:
                answer = await handle.remote(*arguments)
            except BackPressureError as error:
                raise _full() from error
            except RayActorError as error:
                if attempt + 1 == RETRIES:
                    raise _replica_lost() from error
                await asyncio.sleep(0.1 * 2**attempt)
                continue
            if isinstance(answer, RemoteError):
                raise answer.error()
            return answer
        raise AssertionError("unreachable")

    async def statuses(self) -> list[JsonObject]:
        """Status of every replica that responds within BUSY_SECONDS."""
        response = self._handle.broadcast("status")
        answers = await response.results_async(timeout_s=BUSY_SECONDS, return_exceptions=True)
        return [answer for answer in answers if isinstance(answer, dict)]


class BoundReplica(Replica):
    """A Replica on Ray: it listens on its node's address only, and ends with its raylet."""

    def __init__(self, options: ReplicaOptions) -> None:
        bind_to_node()
        watch_raylet()
        super().__init__(options)


@serve.deployment
@serve.ingress()
class Router:
    """The Ray deployment that serves the app over the replicas."""

    def __init__(self, replicas: DeploymentHandle[Any], settings: Settings, model: str | None = None) -> None:
        bind_to_node()
        self._replicas, self._settings = replicas, settings
        _learn_languages(model)

    def __serve_build_asgi_app__(self) -> FastAPI:
        self._engine = HandleEngine(self._replicas)
        self._app = build_app(self._engine, self._settings, behind_ray=True)
        watch_raylet(self._give_up)
        return self._app

    def _give_up(self) -> None:
        """The raylet has died, and this process is about to end."""
        self._app.state.service.limiter.draining = True
        self._engine.give_up()

    async def drain(self) -> int:
        """Rejects new requests with 503 from now on. Returns the number of requests in progress."""
        limiter = self._app.state.service.limiter
        limiter.draining = True
        return int(limiter.under_way)


def _learn_languages(model: str | None) -> None:
    """Makes the languages known that the model adds, for the page and /docs. The replicas alone need the model itself."""
    try:
        learn_languages(model)
    except InputError as error:
        logging.getLogger("speechx.serving").warning(
            "the languages that the model adds are not listed: %s", error
        )


def _full() -> ApiError:
    return ApiError(429, "all replicas are full: try again", code="overloaded", retry_after=1)


def _replica_lost() -> ApiError:
    message = "the replica that made it was lost: try again"
    return ApiError(503, message, code="replica_lost", retry_after=2)


def _ray_lost() -> ApiError:
    return ApiError(503, "the server has lost its Ray and ends: try again", code="ray_lost", retry_after=5)


def drain(seconds: float) -> int:
    """Lets the requests in progress finish on all routers, for at most so many seconds. Returns how many are left."""
    routers, deadline = serve.get_app_handle("default"), time.monotonic() + seconds
    while True:
        left = _in_progress(routers)
        if left == 0 or time.monotonic() > deadline:
            time.sleep(LAST_BYTES_SECONDS)
            return left
        time.sleep(0.1)


def _in_progress(routers: DeploymentHandle[Any]) -> int:
    """Tells all routers to drain. Returns the requests in progress; a router too busy to answer counts as one."""
    try:
        answers = routers.broadcast("drain").results(timeout_s=BUSY_SECONDS, return_exceptions=True)
    except TimeoutError:
        return 1
    # A dead router has lost its requests: there is nothing to wait for.
    return sum(
        answer if isinstance(answer, int) else not isinstance(answer, RayActorError) for answer in answers
    )


def build(args: AppArgs | JsonObject) -> serve.Application:
    """The application, for `serve.run`, `serve run` and `serve deploy`, which gives the `args` of its file as they are."""
    args = AppArgs.model_validate(args)
    options, limits = args.replica, args.settings.limits
    most = max(args.replicas, args.max_replicas or 0)
    room = options.slots + options.waiting
    if "at_once" not in limits.model_fields_set:
        limits = limits.model_copy(update={"at_once": room * max(1, most)})
    settings = args.settings.model_copy(
        update={"limits": limits, "voices": args.settings.voices or options.voices, "page": args.has_page}
    )
    options = options.model_copy(update={"voices": settings.voices})
    scaling: JsonObject = {"num_replicas": args.replicas}
    if most > args.replicas:
        scaling = {
            "autoscaling_config": {
                "min_replicas": args.replicas,
                "max_replicas": most,
                "initial_replicas": max(1, args.replicas),
                "target_ongoing_requests": max(1.0, 0.7 * options.slots),
                "upscale_delay_s": 5,
                "downscale_delay_s": 300,
            }
        }
    replicas = serve.deployment(BoundReplica).options(  # type: ignore[attr-defined]
        name="Replica",
        **scaling,
        # The replica itself rejects requests over its limit; it needs room for those, and for status calls.
        max_ongoing_requests=room + 16,
        max_queued_requests=2 * room + 64,  # includes requests that are being assigned
        graceful_shutdown_timeout_s=limits.request_seconds,
        health_check_period_s=2,
        health_check_timeout_s=30,
        ray_actor_options={"num_cpus": args.cpus, "num_gpus": args.gpus},
    )
    router_room = limits.at_once + limits.bodies_at_once + ROUTER_ROOM
    router = Router.options(  # type: ignore[attr-defined]
        num_replicas=args.routers,
        max_ongoing_requests=router_room,
        max_queued_requests=router_room,
        backpressure_config={"status_code": 429, "retry_after_s": 1},
        health_check_period_s=2,
        health_check_timeout_s=30,
        graceful_shutdown_timeout_s=limits.request_seconds,
        ray_actor_options={"num_cpus": args.router_cpus},
    )
    app: serve.Application = router.bind(replicas.bind(options), settings, options.model)
    return app

"""Finds tasks and commands through entry points, so that this package imports none of them.

    [project.entry-points."speechx.tasks"]
    builtin = "tasks"                    # a package: every module in it that defines a task
    my_task = "my_package.my_task:Mine"  # or one class

    [project.entry-points."speechx.commands"]
    data = "speechx.cli.data:app"   # a typer.Typer, or a function that becomes one command

A task of a package is named after its module, so that listing names imports nothing.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Protocol

from pydantic import BaseModel, ValidationError

from speechx.errors import InputError

if TYPE_CHECKING:
    from speechx.engine.sampling import SamplingParams
    from speechx.models.lm.prompt import Prompt
    from speechx.task.plan import Plan

__all__ = [
    "TaskProtocol",
    "audio_fields",
    "command_names",
    "load_command",
    "parse_request",
    "register",
    "scan_package",
    "shared_fields",
    "task",
    "task_names",
    "tasks",
]


class TaskProtocol(Protocol):
    """What the pipeline asks of a task; `speechx.task.task.Task` is the class that gives it."""

    name: str
    slot: int
    summary: str
    Request: type[BaseModel]
    tries: int

    def prompt(self, req: Any, frontend: Any) -> Prompt: ...

    def plan(self, req: Any, frontend: Any) -> Plan: ...

    def params(self, req: Any, prompt: Prompt) -> SamplingParams: ...


_registered: dict[str, Callable[[], TaskProtocol]] = {}


def register(name: str, factory: Callable[[], TaskProtocol]) -> Callable[[], None]:
    """Adds a task in this process only (tests, notebooks). Returns a function that takes it out again."""
    _registered[name] = factory
    _discovered.cache_clear()
    task.cache_clear()

    def unregister() -> None:
        _registered.pop(name, None)
        _discovered.cache_clear()
        task.cache_clear()

    return unregister


def task_names() -> list[str]:
    """Names of all tasks, sorted by name."""
    return sorted(_discovered())


@cache
def task(name: str) -> TaskProtocol:
    """The task of this name (underscores or dashes). Raises InputError, field "task", for an unknown one."""
    key = name.replace("-", "_")
    factories = _discovered()
    if key not in factories:
        raise InputError(
            f"task {name!r} is unknown; choose one of {', '.join(sorted(factories))}", field="task"
        )
    return factories[key]()


def tasks() -> dict[str, TaskProtocol]:
    """All tasks by name, in the order of their slots."""
    return {t.name: t for t in sorted(map(task, _discovered()), key=lambda t: t.slot)}


@cache
def _discovered() -> Mapping[str, Callable[[], TaskProtocol]]:
    found: dict[str, Callable[[], TaskProtocol]] = {}
    for point in entry_points(group="speechx.tasks"):
        if ":" in point.value:
            found[point.name] = _class_of(point)
        else:
            found.update(scan_package(point.value))
    return {**found, **_registered}


def scan_package(package: str) -> dict[str, Callable[[], TaskProtocol]]:
    """Factories of the tasks of a package: one a module, found by the module's name; base.py and _private.py are none."""
    folder = importlib.import_module(package)
    names = [m.name for m in pkgutil.iter_modules(folder.__path__)]
    return {
        n: _task_of(f"{package}.{n}")
        for n in names
        if not n.startswith("_") and n not in ("base", "conftest")
    }


def _class_of(point: EntryPoint) -> Callable[[], TaskProtocol]:
    def factory() -> TaskProtocol:
        return point.load()()

    return factory


def _task_of(module_name: str) -> Callable[[], TaskProtocol]:
    def factory() -> TaskProtocol:
        module = importlib.import_module(module_name)
        short = module_name.rsplit(".", 1)[-1]
        for value in vars(module).values():
            if (
                isinstance(value, type)
                and value.__module__ == module_name
                and getattr(value, "name", None) == short
            ):
                return value()
        raise LookupError(f"{module_name} defines no task class with name = {short!r}")

    return factory


def shared_fields(chosen: TaskProtocol) -> list[str]:
    """The request fields that are not the task's own: those of the class all requests come from."""
    models = [c for c in chosen.Request.__mro__ if issubclass(c, BaseModel) and c is not BaseModel]
    return list(models[-1].model_fields) if len(models) > 1 else []


def audio_fields(chosen: TaskProtocol) -> dict[str, str]:
    """The request fields that hold sound, and their kind: "audio", or "voice" where an id of a voice will do too."""
    properties = chosen.Request.model_json_schema()["properties"]
    return {name: about["x-speechx"] for name, about in properties.items() if "x-speechx" in about}


def parse_request(name: str, fields: Mapping[str, Any]) -> BaseModel:
    """The validated request of a task. Raises InputError that names the field: unknown task or field, bad value."""
    chosen = task(name)
    try:
        return chosen.Request(**fields)
    except ValidationError as error:
        raise _first_problem(chosen, error) from None


def _first_problem(chosen: TaskProtocol, error: ValidationError) -> InputError:
    """The first thing wrong with a request, as a sentence about its field."""
    first = error.errors()[0]
    field = str(first["loc"][0]) if first["loc"] else None
    cause = first.get("ctx", {}).get("error")
    if first["type"] == "missing":
        return InputError(f"{field} is missing: {chosen.name} needs it", field=field)
    if first["type"] == "extra_forbidden":
        known = ", ".join(chosen.Request.model_fields)
        return InputError(f"{field} is not a field of {chosen.name}; it has {known}", field=field)
    if isinstance(cause, InputError):
        return cause.located(field) if field else cause
    said = str(cause or first["msg"])
    return InputError(f"{field}: {said[0].lower()}{said[1:]}" if field else said, field=field)


def command_names() -> list[str]:
    """Names of the commands that other packages, or other parts of this one, add to the command line."""
    return sorted({point.name for point in entry_points(group="speechx.commands")})


def load_command(name: str) -> Any:
    """The typer app or function of a command. Raises LookupError for an unknown name, ImportError as it comes."""
    for point in entry_points(group="speechx.commands"):
        if point.name == name:
            return point.load()
    raise LookupError(name)

"""Finds tasks through entry points: this package imports none of them.

    [project.entry-points."speechx.tasks"]
    builtin = "speechx.tasks"                    # a package: every module in it that defines a task
    my_task = "my_package.my_task:Mine"  # or one class

A task of a package is named after its module, so that listing names imports nothing.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from speechx.errors import InputError, did_you_mean
from speechx.task.fields import ABOUT_AUDIO, TaskRequest

if TYPE_CHECKING:
    from speechx.task.task import AnyTask

__all__ = [
    "audio_fields",
    "field_kinds",
    "parse_request",
    "register",
    "scan_package",
    "shared_fields",
    "task",
    "task_names",
    "tasks",
]


_registered: dict[str, Callable[[], AnyTask]] = {}


def register(name: str, factory: Callable[[], AnyTask]) -> Callable[[], None]:
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
def task(name: str) -> AnyTask:
    """The task of this name (underscores or dashes). Raises InputError, field "task", for an unknown one."""
    key = name.replace("-", "_")
    factories = _discovered()
    if key not in factories:
        raise InputError(
            f"task {name!r} is unknown; choose one of {', '.join(sorted(factories))}{did_you_mean(key, factories)}",
            field="task",
        )
    return factories[key]()


def tasks() -> dict[str, AnyTask]:
    """All tasks by name, in the order of their slots."""
    return {t.name: t for t in sorted(map(task, _discovered()), key=lambda t: t.slot)}


@cache
def _discovered() -> Mapping[str, Callable[[], AnyTask]]:
    found: dict[str, Callable[[], AnyTask]] = {}
    for point in entry_points(group="speechx.tasks"):
        if ":" in point.value:
            found[point.name] = _class_of(point)
        else:
            found.update(scan_package(point.value))
    return {**found, **_registered}


def scan_package(package: str) -> dict[str, Callable[[], AnyTask]]:
    """Factories of the tasks of a package: one a module, found by the module's name; base.py and _private.py are none."""
    folder = importlib.import_module(package)
    names = [m.name for m in pkgutil.iter_modules(folder.__path__)]
    return {
        n: _task_of(f"{package}.{n}")
        for n in names
        if not n.startswith("_") and n not in ("base", "conftest")
    }


def _class_of(point: EntryPoint) -> Callable[[], AnyTask]:
    def factory() -> AnyTask:
        return point.load()()

    return factory


def _task_of(module_name: str) -> Callable[[], AnyTask]:
    def factory() -> AnyTask:
        from speechx.task.task import Task

        module = importlib.import_module(module_name)
        short = module_name.rsplit(".", 1)[-1]
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Task) and vars(value).get("name") == short:
                return value()
        raise LookupError(f"{module_name} defines no task class with name = {short!r}")

    return factory


def shared_fields(chosen: AnyTask) -> list[str]:
    """The request fields that every task has, and not this task alone."""
    return [name for name in chosen.Request.model_fields if name in TaskRequest.model_fields]


def audio_fields(chosen: AnyTask) -> Mapping[str, str]:
    """The request fields that hold audio, and their kind: "audio", or "voice" where the id of a voice will do too."""
    return {name: kind for name, kind in field_kinds(chosen.Request).items() if kind in ABOUT_AUDIO}


@cache
def field_kinds(request: type[TaskRequest]) -> Mapping[str, str]:
    """Field to kind ("audio", "voice", "text", "language") of the fields whose type has one, required or not."""
    properties = request.model_json_schema()["properties"]
    variants = {name: (about, *about.get("anyOf", ())) for name, about in properties.items()}
    return {
        name: variant["x-speechx"]
        for name, its in variants.items()
        for variant in its
        if "x-speechx" in variant
    }


def parse_request(name: str, fields: Mapping[str, Any]) -> TaskRequest:
    """The validated request of a task. None is the default, as clients send and tables hold what was not set.

    Raises InputError that names the field: unknown task or field, bad value.
    """
    chosen = task(name)
    try:
        return chosen.Request(**{field: value for field, value in fields.items() if value is not None})
    except ValidationError as error:
        raise _first_problem(chosen, error) from None


def _first_problem(chosen: AnyTask, error: ValidationError) -> InputError:
    """The first thing wrong with a request, as a sentence about its field."""
    # An unknown field before a missing one: it may be that one, mistyped.
    first = min(error.errors(), key=lambda its: its["type"] != "extra_forbidden")
    field = str(first["loc"][0]) if first["loc"] else None
    cause = first.get("ctx", {}).get("error")
    if first["type"] == "missing":
        return InputError(f"{field} is missing: {chosen.name} needs it", field=field)
    if first["type"] == "extra_forbidden":
        known, hint = chosen.Request.model_fields, did_you_mean(str(field), chosen.Request.model_fields)
        return InputError(
            f"{field} is not a field of {chosen.name}; it has {', '.join(known)}{hint}", field=field
        )
    if isinstance(cause, InputError):
        return cause.located(field) if field else cause
    sentence = str(cause or first["msg"])
    return InputError(f"{field}: {sentence[0].lower()}{sentence[1:]}" if field else sentence, field=field)

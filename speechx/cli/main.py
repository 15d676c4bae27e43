"""The command line: `speechx TASK ...` for every task of the registry, and commands found through entry points.

    [project.entry-points."speechx.commands"]
    data = "speechx.cli.data:app"   # a typer.Typer, or a function that becomes one command

Exit codes: 0 success, 1 a bug, 2 unusable input (a sentence says why), 3 some rows of a batch failed, 130 Ctrl-C.
Nothing is imported before it is needed.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, entry_points, requires
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer
import typer.core

import speechx
from speechx.cli.arguments import TextCommand
from speechx.errors import InputError, did_you_mean
from speechx.task import registry

if TYPE_CHECKING:
    from speechx.task.task import AnyTask

CommandSource: TypeAlias = typer.Typer | Callable[..., None]
"""What an entry point may name: an app, or a function that becomes one command."""


class Commands(typer.core.TyperGroup):
    """Tasks first, then the commands. Each is imported when it is called or described."""

    def list_commands(self, ctx: Any) -> list[str]:
        names = [name.replace("_", "-") for name in registry.tasks()]
        return names + [name for name in command_names() if not name.startswith("bench-")]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name.replace("-", "_") in registry.task_names():
            from speechx.cli.task import task_command

            task = registry.task(cmd_name)
            return as_command(task_command(task), cmd_name, TASKS, _example(task))
        if cmd_name not in command_names():
            return None
        return as_command(load_command(cmd_name), cmd_name, PANELS.get(cmd_name, TOOLS))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name = args[0]
        if not name.startswith("-") and self.get_command(ctx, name) is None:
            ctx.fail(f"there is no command {name!r}{did_you_mean(name, self.list_commands(ctx))}")
        return super().resolve_command(ctx, args)


TASKS, TOOLS, TRAINING = "Tasks", "Tools", "Training and evaluation"
PANELS = dict.fromkeys(("bench", "codec", "data", "eval", "train"), TRAINING)
"""Headings of the list of commands."""


def _example(task: AnyTask) -> str | None:
    """The first command line in the docstring of a task's module."""
    lines = (inspect.getdoc(inspect.getmodule(type(task))) or "").splitlines()
    return next((f"Example: {line.strip()}" for line in lines if line.strip().startswith("speechx ")), None)


def command_names() -> list[str]:
    """Names of the commands that entry points give, sorted."""
    return sorted({point.name for point in entry_points(group="speechx.commands")})


def load_command(name: str) -> CommandSource:
    """The typer app or function of a command; one that raises InputError where its extra is not installed."""
    (point,) = entry_points(group="speechx.commands", name=name)
    try:
        return point.load()
    except ModuleNotFoundError as error:
        problem = missing_package(error, name)
        if problem is None:
            raise

        def unavailable() -> None:
            raise problem

        unavailable.__doc__ = f"(not installed: {problem})"
        return unavailable


def missing_package(error: ModuleNotFoundError, command: str = "") -> InputError | None:
    """The error about a package of an extra that is not installed; None for a module of ours, which is a bug."""
    module = (error.name or "").partition(".")[0]
    if not module or module == "speechx":
        return None
    package = MODULES.get(module, module).replace("_", "-").lower()
    extras = []
    for line in _requirements():  # such as: uvicorn<0.55,>=0.34; extra == "serve"
        found = re.search(r"^([\w.-]+).*extra == ['\"](\w+)", line)
        if found and found[1].replace("_", "-").lower() == package:
            extras.append(found[2])
    extra = command if command in extras else next((e for e in extras if e != "dev"), None)
    fix = f"pip install 'speechx[{extra}]'" if extra else f"pip install {package}"
    return InputError(f"{package} is not installed; `{fix}` installs it")


def _requirements() -> list[str]:
    try:
        return requires("speechx") or []
    except PackageNotFoundError:  # a clone on PYTHONPATH
        return []


MODULES = {"multipart": "python-multipart", "yaml": "pyyaml", "whisper_normalizer": "whisper-normalizer"}
"""Modules that are not named as their package."""


def as_command(target: CommandSource, name: str, panel: str | None = None, epilog: str | None = None) -> Any:
    """A typer app or a function, as a click command of this name. panel: its heading in the list of commands."""
    if not isinstance(target, typer.Typer):
        app = typer.Typer(add_completion=False)
        app.command(name, cls=TextCommand, epilog=epilog)(target)
        target = app
    command: Any = typer.main.get_command(target)
    command.name, command.rich_help_panel = name, panel
    return command


app = typer.Typer(cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _version(show: bool) -> None:
    if show:
        typer.echo(f"speechx {speechx.__version__}")
        raise typer.Exit()


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="show the version")
    ] = False,
) -> None:
    """Speak in any voice, clean, separate and edit recordings. Each command has a --help of its own."""


def main(args: list[str] | None = None) -> int:
    """Runs a command line; returns, and as a console script exits with, its exit code."""
    code: Any = 0
    try:
        code = typer.main.get_command(app)(args=args, standalone_mode=True, prog_name="speechx")
    except SystemExit as end:
        code = end.code
    except InputError as error:
        print(f"speechx: {error}", file=sys.stderr)
        code = 2
    except ModuleNotFoundError as error:
        problem = missing_package(error, next(iter(sys.argv[1:] if args is None else args), ""))
        if problem is None:
            raise
        print(f"speechx: {problem}", file=sys.stderr)
        code = 2
    except TimeoutError as error:
        print(f"speechx: {error}", file=sys.stderr)
        code = 1
    except KeyboardInterrupt:
        print("speechx: interrupted", file=sys.stderr)
        code = 130
    except BrokenPipeError:
        sys.stderr.close()
        code = 1
    if args is None:
        sys.exit(code)
    return int(code or 0)


if __name__ == "__main__":
    main()

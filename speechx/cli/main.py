"""The command line: `speechx TASK ...` for every task of the registry, and commands found through entry points.

    [project.entry-points."speechx.commands"]
    data = "speechx.cli.data:app"   # a typer.Typer, or a function that becomes one command

Exit codes: 0 success, 1 some rows of a batch failed, or a bug, 2 unusable input (a sentence says why), 130 Ctrl-C.
Nothing is imported before it is needed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Annotated, Any, TypeAlias

import typer
import typer.core

import speechx
from speechx.errors import InputError
from speechx.task import registry

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

            return as_command(task_command(registry.task(cmd_name)), cmd_name)
        return as_command(load_command(cmd_name), cmd_name) if cmd_name in command_names() else None


def command_names() -> list[str]:
    """Names of the commands that entry points give, sorted."""
    return sorted({point.name for point in entry_points(group="speechx.commands")})


def load_command(name: str) -> CommandSource:
    """The typer app or function of a command; one that raises InputError where its extra is not installed."""
    (point,) = entry_points(group="speechx.commands", name=name)
    try:
        return point.load()
    except ImportError as error:
        missing = error.name or str(error)

        def unavailable() -> None:
            raise InputError(
                f"`speechx {name}` needs {missing}, which is not installed: see the extras in the README"
            )

        unavailable.__doc__ = f"(not installed: needs {missing})"
        return unavailable


def as_command(target: CommandSource, name: str) -> Any:
    """A typer app or a function, as a click command of this name."""
    if not isinstance(target, typer.Typer):
        app = typer.Typer(add_completion=False)
        app.command(name)(target)
        target = app
    command = typer.main.get_command(target)
    command.name = name
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
    """One task-prompted codec language model for speech."""


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

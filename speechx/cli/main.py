"""The command line: `speechx TASK ...` for every task of the registry, the commands here, and those of entry points.

Exit codes: 0 done, 1 some rows of a batch failed, or a bug, 2 what was given cannot be used (a sentence says why), 130
Ctrl-C. Nothing is imported before it is needed.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated, Any

import typer
import typer.core

import speechx
from speechx.errors import InputError
from speechx.task import registry

OWN = {
    "tasks": "speechx.cli.tasks:tasks",
    "align": "speechx.cli.align:align",
    "codec": "speechx.cli.codec:app",
    "batch": "speechx.cli.batch:batch",
    "voices": "speechx.cli.voices:app",
    "bench": "speechx.cli.bench:app",
    "demo": "speechx.cli.demo:demo",
}
"""Commands that come with this package; others add theirs through the entry points of group speechx.commands."""


class Commands(typer.core.TyperGroup):
    """Tasks first, then the commands. Each is imported when it is called or described."""

    def list_commands(self, ctx: Any) -> list[str]:
        names = [name.replace("_", "-") for name in registry.tasks()]
        more = [n for n in registry.command_names() if n not in OWN and not n.startswith("bench-")]
        return names + list(OWN) + more

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in OWN:
            module, _, name = OWN[cmd_name].partition(":")
            return as_command(getattr(import_module(module), name), cmd_name)
        if cmd_name.replace("-", "_") in registry.task_names():
            from speechx.cli.task import task_command

            return as_command(task_command(registry.task(cmd_name)), cmd_name)
        if cmd_name in registry.command_names():
            return as_command(_loaded(cmd_name), cmd_name)
        return None


def _loaded(name: str) -> Any:
    """A command of an entry point; one whose extra is not installed says so when called."""
    try:
        return registry.load_command(name)
    except ImportError as error:
        missing = error.name or str(error)

        def unavailable() -> None:
            raise InputError(
                f"`speechx {name}` needs {missing}, which is not installed: see the extras in the README"
            )

        unavailable.__doc__ = f"(not installed: needs {missing})"
        return unavailable


def as_command(target: Any, name: str) -> Any:
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

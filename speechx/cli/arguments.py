"""How a command line is parsed: texts that begin with a minus sign, and suggestions for mistyped options."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import typer.core

from speechx.errors import did_you_mean

__all__ = ["TextCommand"]


class TextCommand(typer.core.TyperCommand):
    """A command whose argument may be a text: `speechx tts "-5 degrees"` says it, though it looks like an option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        # Options by name; the numbers of values that they take.
        values = {name: _values(param) for param in self.get_params(ctx) for name in _names(param)}
        options, texts, left = list[str](), list[str](), list(args)
        while left:
            arg = left.pop(0)
            name = arg.partition("=")[0]
            if arg == "--":
                texts += left
                break
            if arg in values:
                options += [arg, *left[: values[arg]]]
                del left[: values[arg]]
            elif name in values or arg[:2] in values or arg in ("", "-") or arg[0] != "-":
                options.append(arg)
            elif _is_text(arg):
                texts.append(arg)
            else:
                ctx.fail(f"there is no option {name}{self._hint(ctx, name, values)}")
        return super().parse_args(ctx, [*options, "--", *texts] if texts else options)

    def _hint(self, ctx: Any, name: str, options: Iterable[str]) -> str:
        """What may have been meant: `speechx tts --text Hi` has an argument for an option."""
        if not name.startswith("--"):
            return "; write -- before a text that begins with -"
        for param in self.get_params(ctx):
            if param.param_type_name == "argument" and param.name == name[2:].replace("-", "_"):
                shown = param.name.upper()
                return f": {shown} has no name here, as in {ctx.command_path} {shown}"
        return did_you_mean(name, options)


def _names(param: Any) -> list[str]:
    return [*param.opts, *param.secondary_opts] if param.param_type_name == "option" else []


def _values(param: Any) -> int:
    return 0 if getattr(param, "is_flag", False) else int(param.nargs)


def _is_text(arg: str) -> bool:
    """Whether no option looks like this: `-5`, `-$5`, `- one thing`; but not `-x` or `--voise`."""
    return any(c.isspace() for c in arg) or not (arg[1].isalpha() or arg[1] == "-")

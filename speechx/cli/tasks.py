"""`speechx tasks`: what the model can be asked for."""

from __future__ import annotations

import typer

from speechx.cli.console import JsonOption, put_json
from speechx.task import registry


def tasks(json: JsonOption = False) -> None:
    """List the tasks, their fields and what they do."""
    found = registry.tasks().values()
    if json:
        put_json(
            [{"name": t.name, "summary": t.summary, "request": t.Request.model_json_schema()} for t in found]
        )
        return
    for task in found:
        shared = registry.shared_fields(task)
        fields = {n: f for n, f in task.Request.model_fields.items() if n not in shared}
        listed = ", ".join(n if f.is_required() else f"[{n}]" for n, f in fields.items())
        typer.echo(f"{task.name.replace('_', '-'):28}{task.summary}\n{'':28}{listed}")
    typer.echo(f"\n{'all of them':28}{', '.join(f'[{n}]' for n in shared)}")

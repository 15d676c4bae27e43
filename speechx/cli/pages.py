"""HTML pages out of Jinja templates that lie beside the module that fills them."""

from __future__ import annotations

from pathlib import Path

import jinja2

__all__ = ["render"]


def render(template: Path, **values: object) -> str:
    """A page. Every value is escaped unless it is `markupsafe.Markup`; a name without a value is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template.name).render(values)

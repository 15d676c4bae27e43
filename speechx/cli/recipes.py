"""Training recipes by path or by the name of a packaged one: `--config lm/1-tts`.

A wheel holds configs/ as speechx/configs. In a clone it lies beside the package, on `speechx.__path__`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import speechx
from speechx.errors import InputError

__all__ = ["RecipeOption", "find_recipe", "packaged_recipes"]


def packaged_recipes() -> dict[str, Path]:
    """Name (`lm/1-tts`) to file, sorted by name."""
    folders = [Path(folder) / "configs" for folder in speechx.__path__]
    found = [(path, folder) for folder in folders for path in folder.rglob("*.yaml")]
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path, folder in sorted(found)}


def find_recipe(recipe: Path) -> Path:
    """The file of a path or of a packaged name, with or without `.yaml`.

    Raises InputError (field `config`) that lists the packaged names if there is neither.
    """
    if recipe.is_file():
        return recipe
    packaged = packaged_recipes()
    name = recipe.with_suffix("") if recipe.suffix == ".yaml" else recipe
    if name.as_posix() not in packaged:
        listed = ", ".join(packaged)
        raise InputError(
            f"config: {recipe} is neither a file nor a packaged recipe ({listed})", field="config"
        )
    return packaged[name.as_posix()]


RecipeOption = Annotated[
    Path,
    typer.Option(
        "--config",
        help="recipe: a YAML file or a packaged name such as lm/1-tts; an unknown key is an error",
        callback=find_recipe,
    ),
]

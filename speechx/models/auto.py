"""Makes transformers' AutoModel know SpeechX's language model, once transformers is imported. `import speechx` stays light.

import speechx
from transformers import AutoModel
AutoModel.from_pretrained("model/lm")
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

__all__ = ["register_when_imported"]

AUTO_MODULE = "transformers.models.auto.modeling_auto"


class RegisteringLoader(Loader):
    """Loads a module as `loader` does, then registers our classes."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        _register()


class AutoModelFinder(MetaPathFinder):
    """Finds AUTO_MODULE where Python finds it, and has it loaded by a RegisteringLoader."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != AUTO_MODULE:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = RegisteringLoader(spec.loader)
        return spec


def register_when_imported() -> None:
    """Registers now where transformers' auto classes are imported already."""
    if AUTO_MODULE in sys.modules:
        _register()
    elif not any(isinstance(finder, AutoModelFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, AutoModelFinder())


def _register() -> None:
    import speechx.models.lm.pretrained  # noqa: F401 (registers when imported)

"""Base of every config and recipe: frozen. An unknown key is an error that names it.

No torch here, so that a config can be read without loading it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Self, TypeAlias

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from speechx.errors import InputError
from speechx.files import read_text

JSONValue: TypeAlias = "bool | int | float | str | list[JSONValue] | dict[str, JSONValue] | None"
JSONObject: TypeAlias = "dict[str, JSONValue]"


class StrictConfig(BaseModel):
    """A frozen config whose fields are JSON values and tuples. Raises pydantic's ValidationError (a ValueError)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    RETIRED: ClassVar[Mapping[str, object]] = {}
    """Keys of earlier releases, with the only value that is still supported; they are dropped."""

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, values: object) -> object:
        if not isinstance(values, Mapping):
            return values
        values = {k: v for k, v in values.items() if k not in cls.RETIRED or v != cls.RETIRED[k]}
        unknown = sorted(str(key) for key in values if key not in cls.model_fields)
        if unknown:
            known = ", ".join(cls.model_fields)
            raise ValueError(f"{cls.__name__} has no key {', '.join(unknown)}; it has {known}")
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> Self:
        return cls.model_validate(values)

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """From a YAML file; an empty one has the defaults.

        Raises InputError, field "config", for one that cannot be read, lacks a setting, or has a wrong key or value.
        """
        try:
            values = yaml.safe_load(read_text(path, "config"))
            if isinstance(values, dict | None):
                return cls.from_dict(values or {})
            reason = "it must be a mapping (lines `key: value`)"
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            reason = f"{where + ': ' if where else ''}{first['msg'].removeprefix('Value error, ')}"
        except yaml.YAMLError as error:
            reason = f"it is no YAML: {' '.join(str(error).split())}"
        raise InputError(f"config: {path}: {reason}", field="config")

    def to_dict(self) -> JSONObject:
        """JSON values."""
        values: JSONObject = json.loads(self.model_dump_json())
        return values

    def with_(self, **changes: object) -> Self:
        """A validated copy with some fields changed."""
        return self.from_dict(self.model_dump() | changes)


class ModelConfig(StrictConfig):
    """The config of a network: it has named presets."""

    PRESETS: ClassVar[Mapping[str, Mapping[str, object]]] = {}

    @classmethod
    def preset(cls, name: str, **changes: object) -> Self:
        """A named preset with some fields changed. Raises ValueError for an unknown name or key."""
        if name not in cls.PRESETS:
            raise ValueError(f"{cls.__name__} has no preset {name!r}; choose one of {', '.join(cls.PRESETS)}")
        return cls.from_dict({**cls.PRESETS[name], **changes})

"""The manifests have the fields that the CRDs of KubeRay allow, as scripts/check_manifests.py found."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests.house.test_layout import ROOT


def script() -> ModuleType:
    path = ROOT / "scripts" / "check_manifests.py"
    spec = importlib.util.spec_from_file_location("check_manifests", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["check_manifests"] = module
    spec.loader.exec_module(module)
    return module


CHECK = script()
RECORD = json.loads(CHECK.RECORD.read_text())
AGAIN = "a field is new or gone: run scripts/check_manifests.py, which asks the CRDs"


def recorded(name: str, manifest: Any) -> bool:
    """Whether the manifest has exactly the fields that were validated."""
    known: list[str] = RECORD["fields"][name]
    chosen = frozenset(line.partition(" = ")[0] for line in known if " = " in line)
    return CHECK.described(manifest, chosen) == known


@pytest.mark.parametrize("name", ["batch", "service", "training"])
def test_the_fields_were_validated(name: str) -> None:
    assert recorded(name, CHECK.kuberay_manifests()[name]), AGAIN


def test_all_manifests_were_validated() -> None:
    assert RECORD["fields"].keys() == CHECK.kuberay_manifests().keys()


@pytest.mark.parametrize(
    "change",
    [
        {"backofLimit": 3},
        {"backoffLimit": "3"},
        {"rayClusterSpec": {"authOptions": {"mode": "tokens"}}},
    ],
)
def test_a_changed_field_was_not(change: dict[str, Any]) -> None:
    """Misspelt, of another type, with a value that the CRD does not list."""
    manifest = CHECK.kuberay_manifests()["batch"]
    assert recorded("batch", manifest)
    assert not recorded("batch", manifest | {"spec": manifest["spec"] | change})


def test_the_release_is_the_one_that_the_docs_install() -> None:
    pages = [(ROOT / "docs" / "cluster.md").read_text(), CHECK.__doc__]
    found = {version for page in pages for version in re.findall(r"--version ([\d.]+)", page)}
    assert found == {RECORD["kuberay"]}


CRD = {
    "spec": {
        "versions": [
            {
                "name": "v1",
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "required": ["spec"],
                        "properties": {
                            "apiVersion": {"type": "string"},
                            "kind": {"type": "string"},
                            "metadata": {"type": "object"},
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "limit": {"type": "integer"},
                                    "mode": {"type": "string", "enum": ["token"]},
                                    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                                    "memory": {
                                        "anyOf": [{"type": "integer"}, {"type": "string"}],
                                        "x-kubernetes-int-or-string": True,
                                    },
                                    "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                                    "items": {
                                        "type": "array",
                                        "items": {
                                            "type": "object",
                                            "properties": {"name": {"type": "string"}},
                                        },
                                    },
                                },
                            },
                        },
                    }
                },
            }
        ]
    }
}


@pytest.mark.parametrize(
    ("spec", "wrong"),
    [
        (
            {"limit": 1, "mode": "token", "labels": {"a": "b"}, "memory": 1, "any": {"a": 1}, "items": [{"name": "a"}]},
            [],
        ),
        ({"memory": "4Gi"}, []),
        ({"limits": 1}, ["$.spec: Additional properties are not allowed ('limits' was unexpected)"]),
        ({"limit": "1"}, ["$.spec.limit: '1' is not of type 'integer'"]),
        ({"mode": "tokens"}, ["$.spec.mode: 'tokens' is not one of ['token']"]),
        ({"labels": {"a": 1}}, ["$.spec.labels.a: 1 is not of type 'string'"]),
        (
            {"items": [{"nam": "a"}]},
            ["$.spec.items[0]: Additional properties are not allowed ('nam' was unexpected)"],
        ),
    ],
)  # fmt: skip
def test_what_a_crd_allows(spec: Any, wrong: list[str]) -> None:
    manifest = {"apiVersion": "ray.io/v1", "kind": "RayJob", "metadata": {"name": "a"}, "spec": spec}
    assert CHECK.errors(manifest, CRD) == wrong


def test_the_script_records_a_chart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And records nothing where a field is unknown."""
    (tmp_path / "crds").mkdir()
    (tmp_path / "crds" / "ray.io_rayjobs.yaml").write_text(yaml.safe_dump(CRD))
    (tmp_path / "Chart.yaml").write_text("version: 9.9.9\n")
    manifest = {"apiVersion": "ray.io/v1", "kind": "RayJob", "spec": {"mode": "token", "limit": 1}}
    monkeypatch.setattr(CHECK, "kuberay_manifests", lambda: {"a": manifest})
    record = CHECK.validated(tmp_path)
    assert record["kuberay"] == "9.9.9" and record["sha256"].keys() == {"ray.io_rayjobs.yaml"}
    assert record["fields"] == {
        "a": ["apiVersion: string", "kind: string", "spec.limit: integer", "spec.mode = token"]
    }
    manifest["spec"] = {"moed": "token"}
    with pytest.raises(ValueError, match=r"a.yaml: \$.spec: .*'moed' was unexpected"):
        CHECK.validated(tmp_path)

"""Validates deploy/kuberay against the schema of KubeRay's resources: python scripts/check_manifests.py CHART

CHART is the folder of the operator's Helm chart, which has the CRDs:

    helm pull kuberay/kuberay-operator --version 1.7.0 --untar        # makes kuberay-operator/

Unknown fields are errors; Kubernetes would drop them silently. The fields that passed are written to
tests/deploy/kuberay.json, with the release and the checksums of the CRDs. A test compares the manifests with that file.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypedDict

import jsonschema
import yaml

ROOT = Path(__file__).resolve().parents[1]
MANIFESTS = ROOT / "deploy" / "kuberay"
RECORD = ROOT / "tests" / "deploy" / "kuberay.json"
GROUP = "ray.io/"
TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}


class ValidatedFields(TypedDict):
    """fields: the lines of `described` for each manifest. sha256: of the CRDs."""

    kuberay: str
    sha256: dict[str, str]
    fields: dict[str, list[str]]


def closed(schema: Any) -> Any:
    """An openAPIV3Schema whose objects have no fields but those that it names."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    is_open = "additionalProperties" in schema or schema.get("x-kubernetes-preserve-unknown-fields")
    more = {} if schema.get("type") != "object" or is_open else {"additionalProperties": False}
    return {key: closed(value) for key, value in schema.items()} | more


def errors(manifest: Any, crd: Any) -> list[str]:
    """A sentence with the path of each field that the CRD does not allow."""
    found = jsonschema.Draft202012Validator(closed(crd_schema(crd, manifest["apiVersion"]))).iter_errors(
        manifest
    )
    return [f"{error.json_path}: {error.message}" for error in found]


def crd_schema(crd: Any, version: str) -> Any:
    """The schema of a served version, such as ray.io/v1. `metadata` is Kubernetes' own, so it is left open."""
    (schema,) = (
        served["schema"]["openAPIV3Schema"]
        for served in crd["spec"]["versions"]
        if f"{GROUP}{served['name']}" == version
    )
    metadata = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return schema | {"properties": schema["properties"] | {"metadata": metadata}}


def described(manifest: Any, chosen: frozenset[str]) -> list[str]:
    """A line for each field: its path with its type, or with its value where the path is `chosen`."""
    lines = {
        f"{path} = {value}" if path in chosen else f"{path}: {TYPES.get(type(value), 'empty')}"
        for path, value in leaves(manifest)
    }
    return sorted(lines)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Path, such as `spec.containers[].image`, and value of each field that holds no other."""
    if value and isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else key)
    elif value and isinstance(value, list):
        for inner in value:
            yield from leaves(inner, f"{path}[]")
    else:
        yield path, value


def choices(schema: Any, path: str = "") -> Iterator[str]:
    """Paths of the fields for which the schema lists the values."""
    if "enum" in schema:
        yield path
    for key, inner in schema.get("properties", {}).items():
        yield from choices(inner, f"{path}.{key}" if path else key)
    if "items" in schema:
        yield from choices(schema["items"], f"{path}[]")


def kuberay_manifests() -> dict[str, Any]:
    """The resources of KubeRay in deploy/kuberay, one per file."""
    read = {path.stem: list(yaml.safe_load_all(path.read_text())) for path in MANIFESTS.glob("*.yaml")}
    return {
        name: documents[0]
        for name, documents in sorted(read.items())
        if documents[0]["apiVersion"].startswith(GROUP)
    }


def validated(chart: Path) -> ValidatedFields:
    """Raises ValueError with the fields that the CRDs of this chart do not allow."""
    release = yaml.safe_load((chart / "Chart.yaml").read_text())["version"]
    record = ValidatedFields(kuberay=str(release), sha256={}, fields={})
    wrong = []
    for name, manifest in kuberay_manifests().items():
        path = chart / "crds" / f"ray.io_{manifest['kind'].lower()}s.yaml"
        record["sha256"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
        crd = yaml.load(path.read_text(), yaml.CSafeLoader)
        wrong += [f"{name}.yaml: {error}" for error in errors(manifest, crd)]
        chosen = frozenset(choices(crd_schema(crd, manifest["apiVersion"])))
        record["fields"][name] = described(manifest, chosen)
    if wrong:
        raise ValueError("\n".join(wrong))
    return record


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        RECORD.write_text(json.dumps(validated(Path(sys.argv[1])), indent=1) + "\n")
    except (OSError, ValueError) as error:
        sys.exit(str(error))

"""The objects that a chart renders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from harness.helm import CHART, Values, find_helm

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The loader in C is ten times faster, which matters for the long CRDs."""

NAMESPACE = "ops"
RELEASE = "clustertrigger"

Object = dict[str, Any]

VALUES_FILES = ("default", *sorted(path.stem for path in (CHART / "ci").glob("*-values.yaml")))
"""The chart's own defaults, and every file of example values."""


def values_of(values_file: str) -> dict[str, Any]:
    if values_file == "default":
        return {}
    loaded: dict[str, Any] = yaml.safe_load((CHART / "ci" / f"{values_file}.yaml").read_text())
    return loaded


def parse(manifest: str) -> Rendered:
    return Rendered([document for document in yaml.load_all(manifest, _LOADER) if document])


def render(values: Values | None = None, *, name: str = RELEASE) -> Rendered:
    return parse(find_helm(namespace=NAMESPACE).render(name, values))


class Rendered:
    """Rendered objects, by kind and name."""

    def __init__(self, objects: list[Object]) -> None:
        self._objects = objects

    def __iter__(self) -> Iterator[Object]:
        return iter(self._objects)

    def all(self, kind: str) -> list[Object]:
        return [one for one in self._objects if one["kind"] == kind]

    def one(self, kind: str, name: str | None = None) -> Object:
        found = [one for one in self.all(kind) if name in (None, one["metadata"]["name"])]
        assert len(found) == 1, f"{len(found)} objects of kind {kind} named {name}"
        return found[0]

    @property
    def pod(self) -> Object:
        """The Pod template of the operator's Deployment."""
        (deployment,) = [
            found
            for found in self.all("Deployment")
            if found["metadata"]["labels"]["app.kubernetes.io/component"] == "operator"
        ]
        template: Object = deployment["spec"]["template"]
        return template

    @property
    def container(self) -> Object:
        (only,) = self.pod["spec"]["containers"]
        container: Object = only
        return container

    @property
    def environment(self) -> dict[str, str]:
        """The container's variables; those of the downward API contain the path of their field."""
        variables = self.container["env"]
        return {v["name"]: v["value"] if "value" in v else v["valueFrom"]["fieldRef"]["fieldPath"] for v in variables}

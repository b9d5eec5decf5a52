"""The text of generated manifests: plain YAML, and the same as a template of the Helm chart."""

from __future__ import annotations

from typing import Any

import yaml

HEADER = "# Generated from operator/clustertrigger/api by `make generate`: edit the models, not this file.\n"

_GATES = {
    "x-kubernetes-validations:": 'semverCompare ">=1.29-0" $.Capabilities.KubeVersion.Version',
    "selectableFields:": 'semverCompare ">=1.30-0" $.Capabilities.KubeVersion.Version',
}
"""What older API servers do not know, and since when it is safe to send. They would refuse the manifest, or Helm would;
the operator says in the conditions what the rules say."""

_FOLDED_BEYOND = 90


class _Dumper(yaml.SafeDumper):
    """Long texts are folded, and texts with apostrophes stay readable."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = ">" if len(text) > _FOLDED_BEYOND else '"' if "'" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def manifest(resource: dict[str, Any]) -> str:
    """The resource as YAML, keys in their own order."""
    return yaml.dump(resource, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)


def chart_template(resource: dict[str, Any]) -> str:
    """A CustomResourceDefinition as a template of the chart.

    A template rather than a file in the chart's `crds/`, which Helm installs once and never upgrades. It is kept when
    the release is uninstalled, because deleting it would delete every object of its kind.

    Raises:
        ValueError: the text holds what Helm would take for an action.
    """
    metadata = {**resource["metadata"], "annotations": {"helm.sh/resource-policy": "keep"}}
    text = manifest({**resource, "metadata": metadata})
    if "{{" in text:
        raise ValueError(f"{metadata['name']}: a description holds '{{{{', which Helm would expand: reword it")
    gated = _gate(text.splitlines())
    keep = [line for line in gated if "helm.sh/resource-policy" in line or line == "  annotations:"]
    start = gated.index(keep[0])
    lines = [*gated[:start], "  {{- if .Values.crds.keep }}", *keep, "  {{- end }}", *gated[start + len(keep) :]]
    return "\n".join([HEADER + "{{- if .Values.crds.install }}", *lines, "{{- end }}", ""])


def _gate(lines: list[str]) -> list[str]:
    """Puts an `if` around each block that older API servers do not know."""
    gated: list[str] = []
    end_of_block: int | None = None
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if end_of_block is not None and not _inside(line, indent, end_of_block):
            gated.append(" " * end_of_block + "{{- end }}")
            end_of_block = None
        if line.strip() in _GATES:
            gated.append(" " * indent + "{{- if " + _GATES[line.strip()] + " }}")
            end_of_block = indent
        gated.append(line)
    if end_of_block is not None:
        gated.append(" " * end_of_block + "{{- end }}")
    return gated


def _inside(line: str, indent: int, block: int) -> bool:
    """Whether a line belongs to the list under a key at this indentation."""
    return not line.strip() or indent > block or (indent == block and line.lstrip().startswith("- "))

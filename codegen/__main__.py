"""`python -m codegen`: writes the CRDs, JSON schemas, references, and the chart's copies of CRDs and example."""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from clustertrigger.api import GROUP, VERSION
from codegen.cli import cli_reference
from codegen.crd import KINDS
from codegen.json_schema import json_schema
from codegen.manifests import HEADER, chart_template, manifest
from codegen.metrics import metrics_reference
from codegen.reference import reference

_REPOSITORY = Path(__file__).resolve().parents[1]
_CRDS = Path("crds")
_CHART_CRDS = Path("charts/clustertrigger/templates/crds")
_SCHEMAS = Path("schemas") / GROUP
_EXAMPLE = Path("examples/demo")
_CHART_EXAMPLE = Path("charts/clustertrigger/demo")
_CLAIMS = "volumes.yaml"
"""Files of the example that the chart replaces by its own claims."""


def generated_files() -> dict[Path, str]:
    """Returns the text of every generated file, by its path in the repository."""
    files = {
        Path("docs/reference/resources.md"): reference(KINDS),
        Path("docs/reference/cli.md"): cli_reference(),
        Path("docs/reference/metrics.md"): metrics_reference(),
    }
    for kind in KINDS:
        resource = kind.custom_resource_definition()
        files[_CRDS / f"{kind.plural}.yaml"] = HEADER + manifest(resource)
        files[_CHART_CRDS / f"{kind.plural}.yaml"] = chart_template(resource)
        # kubeconform and the public catalogue of schemas use these names.
        name = f"{kind.name.lower()}_{VERSION}.json"
        files[_SCHEMAS / name] = json.dumps(json_schema(kind), indent=2, ensure_ascii=False) + "\n"
    for path in sorted((_REPOSITORY / _EXAMPLE).glob("*.yaml")):
        if path.name != _CLAIMS:
            files[_CHART_EXAMPLE / path.name] = path.read_text(encoding="utf-8")
    return files


def changes(root: Path) -> dict[Path, str | None]:
    """Returns what would change below this folder: the new text by path, None if the file is to be deleted."""
    files = generated_files()
    stale = {
        path.relative_to(root): None
        for folder in (_CRDS, _CHART_CRDS, _SCHEMAS, _CHART_EXAMPLE)
        for path in (root / folder).glob("*")
        if path.relative_to(root) not in files
    }
    return {**{path: text for path, text in files.items() if _text(root / path) != text}, **stale}


def write(root: Path, changed: dict[Path, str | None]) -> None:
    """Makes the changes."""
    for path, text in changed.items():
        if text is None:
            (root / path).unlink()
        else:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Writes into this checkout, or prints what it would write."""
    parser = argparse.ArgumentParser(prog="python -m codegen", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; print the difference and exit with 1")
    parser.add_argument("--root", type=Path, default=_REPOSITORY, help="folder to write into (this checkout)")
    options = parser.parse_args(arguments)
    changed = changes(options.root)
    if not options.check:
        write(options.root, changed)
        sys.stdout.writelines(f"generate: {path}\n" for path in changed)
        return 0
    for path, text in changed.items():
        sys.stdout.writelines(_difference(path, _text(options.root / path), text))
    if changed:
        sys.stderr.write(f"verify: {len(changed)} generated files differ: run `make generate` and commit them\n")
    return 1 if changed else 0


def _text(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _difference(path: Path, old: str | None, new: str | None) -> Iterator[str]:
    before, after = (text.splitlines(keepends=True) if text else [] for text in (old, new))
    return difflib.unified_diff(before, after, f"a/{path}", f"b/{path}")


if __name__ == "__main__":
    raise SystemExit(main())

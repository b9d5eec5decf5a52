"""`python -m clustertrigger.api.generate`: writes the CRDs, the chart's copies and the field reference."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from clustertrigger.api.crd import KINDS
from clustertrigger.api.manifests import HEADER, chart_template, manifest
from clustertrigger.api.reference import reference

_REPOSITORY = Path(__file__).resolve().parents[3]
_CHART_CRDS = Path("charts/clustertrigger/templates/crds")


def generated_files() -> dict[Path, str]:
    """Every generated file's text, by its path in the repository."""
    files = {Path("docs/reference.md"): reference(KINDS)}
    for kind in KINDS:
        resource = kind.custom_resource_definition()
        files[Path("crds") / f"{kind.plural}.yaml"] = HEADER + manifest(resource)
        files[_CHART_CRDS / f"{kind.plural}.yaml"] = chart_template(resource)
    return files


def write(root: Path) -> list[Path]:
    """Writes what changed, removes CRDs of kinds that are no more, and returns the changed paths."""
    files = generated_files()
    changed = [path for path, text in files.items() if not _holds(root / path, text)]
    for path in changed:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(files[path], encoding="utf-8")
    for folder in (Path("crds"), _CHART_CRDS):
        for stale in (root / folder).glob("*.yaml"):
            if stale.relative_to(root) not in files:
                stale.unlink()
                changed.append(stale.relative_to(root))
    return changed


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def main(arguments: list[str] | None = None) -> int:
    """Writes into the checkout, or the folder given."""
    parser = argparse.ArgumentParser(prog="python -m clustertrigger.api.generate", description=__doc__)
    parser.add_argument("root", nargs="?", type=Path, default=_REPOSITORY, help="folder to write into (this checkout)")
    for path in write(parser.parse_args(arguments).root):
        sys.stdout.write(f"generate: {path}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

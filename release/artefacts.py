"""The files of a release: wheel, chart, install.yaml, the command, SBOMs, checksums."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import helm_python

from release.versions import ReleaseError

ROOT = Path(__file__).parents[1]
CHART = ROOT / "charts/clustertrigger"
NAMESPACE = "clustertrigger"
"""Where install.yaml puts the operator."""
UV = str(Path(sys.executable).with_name("uv"))
CYCLONEDX = "cyclonedx-bom==7.5.0"
IMAGES = {"operator": "operator", "worker": "worker", "spark": "spark"}
"""Targets of the Dockerfile, and the requirements that their SBOMs are made from."""
PLATFORMS = "linux/amd64,linux/arm64"


def distributions(into: Path) -> list[Path]:
    """Build the wheel and the source archive."""
    _run("hatchling", sys.executable, "-m", "hatchling", "build", "--directory", str(into))
    return sorted([*into.glob("*.whl"), *into.glob("clustertrigger-*.tar.gz")])


def chart(into: Path, registry: str) -> Path:
    """Pack the chart, with the registry of the images as a default."""
    with tempfile.TemporaryDirectory() as folder:
        copy = released_chart(Path(folder), registry)
        return Path(helm_python.package(copy, destination=into))


def install_manifest(into: Path, registry: str) -> Path:
    """Render the chart for people who have no Helm: kubectl apply --server-side -f install.yaml."""
    with tempfile.TemporaryDirectory() as folder:
        copy = released_chart(Path(folder), registry)
        with helm_python.Chart.load(copy) as loaded:
            files: dict[str, str] = loaded.render({}, name="clustertrigger", namespace=NAMESPACE)
    namespace = f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {NAMESPACE}\n"
    # The kinds first: what follows may be of them.
    rendered = sorted((path, text) for path, text in files.items() if path.endswith(".yaml") and text.strip())
    texts = sorted((text for _, text in rendered), key=lambda text: "kind: CustomResourceDefinition" not in text)
    target = into / "install.yaml"
    target.write_text("".join(f"---\n{text.strip()}\n" for text in [namespace, *texts]))
    return target


def released_chart(folder: Path, registry: str) -> Path:
    """Copy the chart, with the registry as default of image.registry, so that it installs without any value.

    Raises:
        ReleaseError: values.yaml has no such default to replace.
    """
    copy = Path(shutil.copytree(CHART, folder / CHART.name))
    values = copy / "values.yaml"
    text, replaced = re.subn(r'^  registry: "" ', f"  registry: {registry} ", values.read_text(), flags=re.MULTILINE)
    if replaced != 1:
        raise ReleaseError('charts/clustertrigger/values.yaml has no line `registry: ""`, which a release fills in')
    values.write_text(text)
    return copy


def command(into: Path, url: str) -> list[Path]:
    """Build the command for all platforms, with krew's archives and manifest."""
    _run("plugin", sys.executable, "-m", "plugin", "--all", "--url", url)
    made = sorted([*(ROOT / "dist").glob("kubectl-clustertrigger-*.tar.gz"), ROOT / "dist/clustertrigger.yaml"])
    return [Path(shutil.copy(file, into)) for file in made]


def bills_of_materials(into: Path) -> list[Path]:
    """Write what the images' environments are made of, as CycloneDX; the bases are in the images' own attestations."""
    made = []
    for image, requirements in IMAGES.items():
        target = into / f"{image}.cdx.json"
        _run(
            "cyclonedx", UV, "tool", "run", "--quiet", "--from", CYCLONEDX, "cyclonedx-py", "requirements",
            str(ROOT / f"requirements/{requirements}.txt"), "--output-reproducible", "--output-file", str(target),
        )  # fmt: skip
        made.append(target)
    return made


def checksums(into: Path) -> Path:
    """Write SHA256SUMS of all files."""
    target = into / "SHA256SUMS"
    files = sorted(file for file in into.iterdir() if file.is_file() and file != target)
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    target.write_text("".join(lines))
    return target


def images(registry: str, version: str) -> list[str]:
    """Build the images for all platforms, into the engine's cache.

    Returns:
        Their names.
    """
    names = []
    for target in IMAGES:
        name = f"{registry}/clustertrigger/{target}:{version}"
        platforms = ("--platform", PLATFORMS, "--target", target)
        _run("docker", "docker", "buildx", "build", *platforms, "--tag", name, str(ROOT))
        names.append(name)
    return names


def _run(what: str, *words: str) -> None:
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        output = (done.stderr or done.stdout).strip().splitlines() or ["it printed nothing"]
        raise ReleaseError(f"{what} failed with exit code {done.returncode}: {output[-1]}")

"""Pushes images to a registry: with Docker if an engine responds, or with skopeo, directly from their archives."""

import os
import re
import shlex
from collections.abc import Mapping

from harness.cluster.choose import KIND, chosen
from harness.cluster.commands import find_program, run
from harness.cluster.debian.packages import install_missing
from harness.cluster.errors import ClusterError
from harness.cluster.files import REPOSITORY
from harness.cluster.progress import stage
from harness.image.build import Image
from harness.image.plan import SPARK

# As in the chart's values.schema.json.
_REGISTRY = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]*(:[0-9]{1,5})?(/[a-z0-9._-]+)*")
_LOGIN_NEEDED = ("unauthorized", "authentication required", "denied", "no basic auth")


def require_registry(registry: str) -> None:
    """Rejects an invalid registry.

    Raises:
        ClusterError: the registry is empty, a URL, or malformed.
    """
    if not registry:
        raise ClusterError("REGISTRY is empty: name where your nodes pull from, REGISTRY=registry.example.com/team")
    if not _REGISTRY.fullmatch(registry):
        raise ClusterError(
            f"REGISTRY is '{registry}', which is not a registry: write HOST[:PORT][/FOLDER] in lower case, without "
            "https:// and without a slash at the end, as in registry.example.com/team"
        )


def version() -> str:
    """Return the default tag of the chart's images, which is its appVersion."""
    chart = (REPOSITORY / "charts/clustertrigger/Chart.yaml").read_text()
    (found,) = re.findall(r'^appVersion: "(.+)"$', chart, re.MULTILINE)
    return str(found)


def push(image: Image, registry: str) -> list[str]:
    """Push an image with two tags: the chart's version, and its own tag, which identifies the content.

    Returns:
        Both names.

    Raises:
        ClusterError: the registry rejected the image, or cannot be reached.
    """
    names = [f"{registry}/{image.repository}:{tag}" for tag in (version(), image.tag)]
    send = _by_docker if chosen() == KIND else _by_skopeo
    for name in names:
        with stage(f"pushing {name}"):
            try:
                send(image, name)
            except ClusterError as error:
                raise ClusterError(f"{error}{_remedy(str(error), registry)}") from error
    return names


def installation(images: Mapping[str, Image], registry: str) -> str:
    """Return the command that installs exactly these images.

    Args:
        images: Images by target.
        registry: Registry that has them.
    """
    values = [f"image.registry={registry}"]
    for target, image in images.items():
        if target == SPARK:
            values += ["spark.enabled=true", f"spark.image.tag={image.tag}"]
        else:
            values.append(f"image.{target}.tag={image.tag}")
    options = [word for value in values for word in ("--set", value)]
    words = ["helm", "upgrade", "--install", "clustertrigger", "charts/clustertrigger", "--namespace", "clustertrigger"]
    return shlex.join([*words, "--create-namespace", *options])


def _by_docker(image: Image, name: str) -> None:
    run(["docker", "load", "--quiet", "--input", image.archive])
    run(["docker", "tag", image.name, name])
    run(["docker", "push", "--quiet", name])


def _by_skopeo(image: Image, name: str) -> None:
    if find_program("skopeo") is None:
        install_missing({"skopeo": "skopeo"})
    insecure = ["--dest-tls-verify=false"] if os.environ.get("INSECURE_REGISTRY") else []
    archive = f"docker-archive:{image.archive}:docker.io/{image.name}"
    run(["skopeo", "--insecure-policy", "copy", "--quiet", *insecure, archive, f"docker://{name}"])


def _remedy(error: str, registry: str) -> str:
    host = registry.partition("/")[0]
    if any(word in error.lower() for word in _LOGIN_NEEDED):
        program = "docker" if chosen() == KIND else "skopeo"
        return f"; log in with `{program} login {host}`"
    if "server gave HTTP response to HTTPS client" in error:
        return "; for a registry without TLS set INSECURE_REGISTRY=1, or with Docker list it in its insecure-registries"
    return f"; is {host} the registry's address?"

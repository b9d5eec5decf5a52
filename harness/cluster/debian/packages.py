"""Debian packages: what must be installed, and what is only unpacked.

Programs that come with a system service (etcd, containerd) are unpacked and not installed: installing them would
start daemons that this project neither needs nor stops.
"""

import os
import platform
from pathlib import Path

from harness.cluster.commands import find_program, run
from harness.cluster.debian.sources import APT_DIRECTORY, source_entries
from harness.cluster.errors import ClusterError
from harness.cluster.progress import stage

CODENAME = "bookworm"

# program: package that has it
NODE_PROGRAMS = {
    "conntrack": "conntrack",
    "ip": "iproute2",
    "iptables": "iptables",
    "mount": "mount",
    "openssl": "openssl",
    "socat": "socat",  # kubectl port-forward runs through it
    "kubectl": "kubernetes-client",
}
CONTROL_PLANE_PROGRAMS = {"openssl": "openssl"}
BUILD_PROGRAMS = {
    "dpkg-source": "dpkg-dev",
    "jq": "jq",
    "make": "make",
    "patch": "patch",
    "rsync": "rsync",
    "xz": "xz-utils",
}


OS_RELEASE = Path("/etc/os-release")


def is_debian(os_release: Path = OS_RELEASE) -> bool:
    """Tell whether this is Debian 12, whose packages are unpacked here and whose mirror has Kubernetes' source."""
    return _release(os_release).get("VERSION_CODENAME") == CODENAME


def name_of_system(os_release: Path = OS_RELEASE) -> str:
    """Return this system's name for people: Ubuntu 24.04.1 LTS, macOS 15.1, ..."""
    if platform.system() == "Darwin":
        return f"macOS {platform.mac_ver()[0]}".strip()
    return _release(os_release).get("PRETTY_NAME", platform.system())


def require_debian(os_release: Path = OS_RELEASE) -> None:
    """Refuse every system but Debian 12."""
    if not is_debian(os_release):
        name = name_of_system(os_release)
        raise ClusterError(f"CLUSTER=debian needs Debian 12 and this is {name}: start Docker and use CLUSTER=kind")


def _release(os_release: Path) -> dict[str, str]:
    try:
        lines = os_release.read_text().splitlines()
    except FileNotFoundError:
        return {}
    return {name: value.strip('"') for name, _, value in (line.partition("=") for line in lines) if value}


def require_root(what: str) -> None:
    """Raises an error if the user is not root."""
    if os.geteuid() != 0:
        raise ClusterError(f"{what} needs root: run it with sudo, or start Docker and use CLUSTER=kind")


def install_missing(programs: dict[str, str]) -> None:
    """Install the packages of those PROGRAMS that are missing."""
    missing = sorted({package for program, package in programs.items() if find_program(program) is None})
    if not missing:
        return
    require_root(f"installing {' '.join(missing)}")
    with stage(f"installing {' '.join(missing)} with apt-get"):
        environment = {"DEBIAN_FRONTEND": "noninteractive"}
        command = ["apt-get", "install", "-qq", "-y", "--no-install-recommends", "-oDPkg::Lock::Timeout=300", *missing]
        try:
            run(command, env=environment)
        except ClusterError:
            # The package lists may be missing, as in a fresh image, or older than the mirror.
            run(["apt-get", "update", "-qq"])
            run(command, env=environment)


def unpack(packages: list[str], directory: Path) -> None:
    """Download PACKAGES and unpack them below DIRECTORY, without installing anything."""
    debs = directory / "debs"
    debs.mkdir(parents=True, exist_ok=True)
    command = ["apt-get", "download", "-qq", "-oAPT::Sandbox::User=root", *packages]
    try:
        run(command, cwd=debs)
    except ClusterError:
        run(["apt-get", "update", "-qq"])
        run(command, cwd=debs)
    for deb in sorted(debs.glob("*.deb")):
        run(["dpkg", "--extract", deb, directory])
        deb.unlink()
    debs.rmdir()


def unpack_source(package: str, directory: Path, suite: str = CODENAME) -> Path:
    """Download Debian's source of PACKAGE with apt and unpack it below DIRECTORY, with Debian's patches applied.

    apt is given lists, cache and source entries of its own below DIRECTORY; the machine's are not touched. Another
    SUITE comes from the same mirrors.
    """
    one_line, deb822 = (text.replace(CODENAME, suite) for text in source_entries(APT_DIRECTORY, CODENAME))
    if not (one_line or deb822):
        raise ClusterError(
            f"no apt source in {APT_DIRECTORY} offers {CODENAME} main: add the machine's Debian mirror there"
        )
    apt = directory / "apt"
    for name in ("lists/partial", "cache/archives/partial", "parts"):
        (apt / name).mkdir(parents=True, exist_ok=True)
    (apt / "parts/source.list").write_text(one_line)
    (apt / "parts/source.sources").write_text(deb822)
    options = [
        "-qq", "-oAPT::Sandbox::User=root", "-oDir::Etc::SourceList=/dev/null", f"-oDir::Etc::SourceParts={apt}/parts",
        f"-oDir::State::Lists={apt}/lists", f"-oDir::Cache={apt}/cache",
    ]  # fmt: skip
    run(["apt-get", *options, "update"])
    run(["apt-get", *options, "source", "--download-only", package], cwd=directory)
    (description,) = directory.glob("*.dsc")
    tree = directory / package
    # apt-get verified the archive's signature; dpkg-source would look for the uploader's key, which few have.
    run(["dpkg-source", "--no-check", "--extract", description, tree])
    return tree

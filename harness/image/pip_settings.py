"""This machine's settings of pip, for the builds that happen on it: behind a mirror pip must know the mirror.

pip reads them from several files and from PIP_* variables. The build sees them merged into one file, mounted read-only
for as long as it runs, so that no image ever holds a mirror's address or password.
"""

import configparser
import io
from collections.abc import Mapping
from pathlib import Path

# Only what says where packages come from and how to get there; the rest is the machine's own business.
CARRIED = frozenset({
    "cert", "client-cert", "extra-index-url", "find-links", "index-url", "no-index", "proxy", "retries", "timeout",
    "trusted-host",
})  # fmt: skip
SECTIONS = ("global", "install")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def files(home: Path, environment: Mapping[str, str]) -> list[Path]:
    """Return where pip looks for its configuration on Linux, in the order of its documentation: the last one wins."""
    if environment.get("PIP_CONFIG_FILE") == "/dev/null":
        return []
    user = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    paths = [Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf"), home / ".pip/pip.conf", user / "pip/pip.conf"]
    if environment.get("PIP_CONFIG_FILE"):
        paths.append(Path(environment["PIP_CONFIG_FILE"]))
    return paths


def merge(texts: list[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the carried settings: those of the files in their order, [install] over [global], variables over files."""
    settings: dict[str, str] = {}
    parsers = [configparser.RawConfigParser() for _ in texts]
    for parser, text in zip(parsers, texts, strict=True):
        parser.read_string(text)
    for section in SECTIONS:
        for parser in parsers:
            if parser.has_section(section):
                settings |= dict(parser.items(section))
    for name, value in environment.items():
        if name.startswith("PIP_") and value:
            settings[name.removeprefix("PIP_").lower()] = value
    named = {
        name.replace("_", "-").removeprefix("default-"): " ".join(value.split()) for name, value in settings.items()
    }
    return {name: value for name, value in named.items() if name in CARRIED}


def of_this_machine(home: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that pip would use here."""
    return merge([path.read_text() for path in files(home, environment) if path.is_file()], environment)


def render(settings: Mapping[str, str]) -> str:
    """Return the settings as a pip.conf; several words become several lines, as pip writes lists."""
    parser = configparser.RawConfigParser()
    parser["global"] = {name: "\n".join(value.split()) for name, value in sorted(settings.items())}
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


def local_paths(settings: Mapping[str, str]) -> list[Path]:
    """Return the directories and files of this machine that the settings point at and that exist.

    An index named ``simple`` brings its parent, because its pages link to files beside it.
    """
    words = [word for value in settings.values() for word in value.split()]
    paths = {Path(word.removeprefix("file://")) for word in words if word.startswith(("/", "file:///"))}
    return sorted({path.parent if path.name == "simple" else path for path in paths if path.exists()})


def mounts(settings: Mapping[str, str], configuration: Path) -> list[str]:
    """Return what the build must see, as the values of buildah's --volume.

    Args:
        settings: The carried settings.
        configuration: The file that holds them as a pip.conf.
    """
    paths = dict.fromkeys([*local_paths(settings), *([CERTIFICATES] if CERTIFICATES.exists() else [])])
    return [f"{configuration}:/etc/pip.conf:ro", *(f"{path}:{path}:ro" for path in paths)]

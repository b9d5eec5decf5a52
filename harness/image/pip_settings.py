"""Passes this machine's settings of pip, such as its mirror, to the builds.

pip reads settings from several files and from PIP_* variables. They are merged into one file that is mounted read-only
during the build, so that no image contains the address or the password of a mirror.
"""

import configparser
import io
from collections.abc import Mapping
from pathlib import Path

# Only settings about the source of packages and the connection to it; others do not apply to builds.
CARRIED = frozenset({
    "cert", "client-cert", "extra-index-url", "find-links", "index-url", "no-index", "proxy", "retries", "timeout",
    "trusted-host",
})  # fmt: skip
SECTIONS = ("global", "install")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def files(home: Path, environment: Mapping[str, str]) -> list[Path]:
    """Return pip's configuration files on Linux in the order of its documentation; later files take precedence."""
    if environment.get("PIP_CONFIG_FILE") == "/dev/null":
        return []
    user = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
    paths = [Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf"), home / ".pip/pip.conf", user / "pip/pip.conf"]
    if environment.get("PIP_CONFIG_FILE"):
        paths.append(Path(environment["PIP_CONFIG_FILE"]))
    return paths


def merge(texts: list[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the settings for builds: later files, section [install] and variables take precedence."""
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
    """Return the settings that pip uses on this machine."""
    return merge([path.read_text() for path in files(home, environment) if path.is_file()], environment)


def render(settings: Mapping[str, str]) -> str:
    """Return the settings as a pip.conf; each word is on its own line, as in pip's lists."""
    parser = configparser.RawConfigParser()
    parser["global"] = {name: "\n".join(value.split()) for name, value in sorted(settings.items())}
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


def local_paths(settings: Mapping[str, str]) -> list[Path]:
    """Return the existing directories and files of this machine to which the settings refer.

    For an index named ``simple``, this is its parent, because the pages of the index link to files beside it.
    """
    words = [word for value in settings.values() for word in value.split()]
    paths = {Path(word.removeprefix("file://")) for word in words if word.startswith(("/", "file:///"))}
    return sorted({path.parent if path.name == "simple" else path for path in paths if path.exists()})


def mounts(settings: Mapping[str, str], configuration: Path) -> list[str]:
    """Return the mounts of the build, as values of buildah's --volume.

    Args:
        settings: The settings for builds.
        configuration: File with the settings as a pip.conf.
    """
    paths = dict.fromkeys([*local_paths(settings), *([CERTIFICATES] if CERTIFICATES.exists() else [])])
    return [f"{configuration}:/etc/pip.conf:ro", *(f"{path}:{path}:ro" for path in paths)]

"""Source entries for apt, derived from the machine's own package entries.

The machine's mirror, keys and suites are kept as they are; only the type becomes deb-src. Both forms that
sources.list(5) describes are read: one-line entries in *.list and deb822 stanzas in *.sources.
"""

import re
from collections.abc import Iterable
from pathlib import Path

APT_DIRECTORY = Path("/etc/apt")

_ONE_LINE = re.compile(r"^deb(?:-src)?\s+(?P<options>\[[^\]]*\]\s+)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<components>.*)$")


def source_entries(directory: Path, codename: str) -> tuple[str, str]:
    """Return (one-line entries, deb822 stanzas) that offer the source packages of CODENAME's suites.

    Args:
        directory: apt's configuration directory, /etc/apt.
        codename: The release, for instance bookworm; its -updates and -security suites are kept too.
    """
    lists = [directory / "sources.list", *sorted((directory / "sources.list.d").glob("*.list"))]
    stanzas = sorted((directory / "sources.list.d").glob("*.sources"))
    one_line = [line for path in lists if path.is_file() for line in one_line_sources(path.read_text(), codename)]
    deb822 = [stanza for path in stanzas for stanza in deb822_sources(path.read_text(), codename)]
    return "".join(f"{line}\n" for line in dict.fromkeys(one_line)), "\n".join(dict.fromkeys(deb822))


def one_line_sources(text: str, codename: str) -> list[str]:
    """Turn the one-line entries of TEXT for CODENAME and component main into deb-src entries."""
    entries = []
    for line in text.splitlines():
        match = _ONE_LINE.match(line.split("#", 1)[0].strip())
        if match and _belongs(match["suite"], codename) and "main" in match["components"].split():
            options = " ".join(
                option for option in (match["options"] or "").strip(" []").split() if not option.startswith("arch")
            )
            bracket = f"[{options}] " if options else ""
            entries.append(f"deb-src {bracket}{match['uri']} {match['suite']} main")
    return entries


def deb822_sources(text: str, codename: str) -> list[str]:
    """Turn the deb822 stanzas of TEXT for CODENAME and component main into deb-src stanzas."""
    stanzas = []
    for block in re.split(r"\n\s*\n", text):
        fields = _fields(block)
        suites = [suite for suite in fields.get("suites", "").split() if _belongs(suite, codename)]
        enabled = fields.get("enabled", "yes").lower() not in {"no", "false", "0"}
        if not (enabled and suites and fields.get("uris") and "main" in fields.get("components", "").split()):
            continue
        kept = {"Types": "deb-src", "URIs": fields["uris"], "Suites": " ".join(suites), "Components": "main"}
        signed_by = fields.get("signed-by")
        if signed_by:
            kept["Signed-By"] = signed_by
        if "trusted" in fields:
            kept["Trusted"] = fields["trusted"]
        stanzas.append("".join(f"{name}:{_after_colon(value)}\n" for name, value in kept.items()))
    return stanzas


def _belongs(suite: str, codename: str) -> bool:
    return suite == codename or suite.startswith((f"{codename}-", f"{codename}/"))


def _after_colon(value: str) -> str:
    # A key inlined into Signed-By begins on the next line.
    return value if value.startswith("\n") else f" {value}"


def _fields(block: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    name = ""
    for line in _without_comments(block.splitlines()):
        if line[:1].isspace() and name:
            fields[name] += f"\n{line}"
        elif ":" in line:
            name, value = line.split(":", 1)
            name = name.strip().lower()
            fields[name] = value.strip()
    return fields


def _without_comments(lines: Iterable[str]) -> Iterable[str]:
    return (line for line in lines if line.strip() and not line.lstrip().startswith("#"))

"""Tests of source entries for apt, from both formats that machines have."""

from pathlib import Path

import pytest

from harness.cluster.debian.sources import deb822_sources, one_line_sources, source_entries

ONE_LINE = [
    ("deb http://mirror/debian bookworm main", ["deb-src http://mirror/debian bookworm main"]),
    ("deb http://mirror/debian bookworm main contrib non-free", ["deb-src http://mirror/debian bookworm main"]),
    ("deb http://mirror/debian bookworm-updates main", ["deb-src http://mirror/debian bookworm-updates main"]),
    ("deb-src http://mirror/debian bookworm main", ["deb-src http://mirror/debian bookworm main"]),
    (
        "deb [arch=amd64 signed-by=/k.gpg] https://mirror/debian bookworm-security main # why",
        ["deb-src [signed-by=/k.gpg] https://mirror/debian bookworm-security main"],
    ),
    ("deb [arch=amd64] http://mirror/debian bookworm main", ["deb-src http://mirror/debian bookworm main"]),
    ("# deb http://mirror/debian bookworm main", []),
    ("deb http://mirror/debian sid main", []),
    ("deb http://mirror/debian bookworm contrib", []),
    ("deb http://other/debian bookwormish main", []),
    ("nonsense", []),
]


@pytest.mark.parametrize(("text", "expected"), ONE_LINE, ids=[text for text, _ in ONE_LINE])
def test_one_line(text: str, expected: list[str]) -> None:
    assert one_line_sources(text, "bookworm") == expected


DEB822 = """\
Types: deb
# A comment between the fields.
URIs: http://mirror/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian.gpg

Types: deb deb-src
URIs: http://mirror/security
Suites: bookworm-security
Components: main

Types: deb
URIs: https://elsewhere/node
Suites: nodistro
Components: main

Types: deb
URIs: http://mirror/off
Suites: bookworm
Components: main
Enabled: no
"""


def test_deb822_keeps_mirror_suites_and_key() -> None:
    first, second = deb822_sources(DEB822, "bookworm")
    assert first.splitlines() == [
        "Types: deb-src",
        "URIs: http://mirror/debian",
        "Suites: bookworm bookworm-updates",
        "Components: main",
        "Signed-By: /usr/share/keyrings/debian.gpg",
    ]
    assert "URIs: http://mirror/security" in second
    assert "Signed-By" not in second


def test_deb822_keeps_an_inlined_key() -> None:
    key = " -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBF\n -----END PGP PUBLIC KEY BLOCK-----"
    text = f"Types: deb\nURIs: http://m/\nSuites: bookworm\nComponents: main\nSigned-By:\n{key}\n"
    (stanza,) = deb822_sources(text, "bookworm")
    assert f"Signed-By:\n{key}\n" in stanza


def test_both_forms_of_one_machine_without_duplicates(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    line = "deb http://mirror/debian bookworm main\n"
    (tmp_path / "sources.list").write_text(line * 2)
    (tmp_path / "sources.list.d/more.list").write_text(line + "deb http://second/debian bookworm main\n")
    (tmp_path / "sources.list.d/debian.sources").write_text(DEB822)
    (tmp_path / "sources.list.d/ignored.sources.disabled").write_text(DEB822)
    one_line, deb822 = source_entries(tmp_path, "bookworm")
    assert one_line == "deb-src http://mirror/debian bookworm main\ndeb-src http://second/debian bookworm main\n"
    assert deb822.count("Types: deb-src") == 2


def test_a_machine_without_the_release_has_none(tmp_path: Path) -> None:
    assert source_entries(tmp_path, "bookworm") == ("", "")

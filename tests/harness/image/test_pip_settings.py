"""Tests of the machine's pip settings, merged as pip merges them."""

import configparser
from pathlib import Path

import pytest

from harness.image import pip_settings

MIRROR = "https://mirror.example/simple"
OTHER = "https://other.example/simple"


Case = tuple[list[str], dict[str, str], dict[str, str]]

CASES: dict[str, Case] = {
    "nothing set": ([], {}, {}),
    "one file": ([f"[global]\nindex-url = {MIRROR}"], {}, {"index-url": MIRROR}),
    "later file wins": (
        [f"[global]\nindex-url = {OTHER}", f"[global]\nindex-url = {MIRROR}"],
        {},
        {"index-url": MIRROR},
    ),
    "install over global": (
        [f"[install]\nindex-url = {MIRROR}", f"[global]\nindex-url = {OTHER}"],
        {},
        {"index-url": MIRROR},
    ),
    "variable over file": ([f"[global]\nindex-url = {OTHER}"], {"PIP_INDEX_URL": MIRROR}, {"index-url": MIRROR}),
    "the old name of timeout": ([], {"PIP_DEFAULT_TIMEOUT": "180"}, {"timeout": "180"}),
    "underscores, a list": (["[global]\nextra_index_url =\n  a\n  b"], {}, {"extra-index-url": "a b"}),
    "not about indexes": (["[global]\nrequire-virtualenv = true"], {"PIP_USER": "1", "HOME": "/"}, {}),
    "an empty variable": ([], {"PIP_INDEX_URL": ""}, {}),
    "percent signs": (["[global]\nindex-url = https://u:p%40s@h/"], {}, {"index-url": "https://u:p%40s@h/"}),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_merge(case: Case) -> None:
    texts, environment, expected = case
    assert pip_settings.merge(texts, environment) == expected


def test_rendered_settings_read_back() -> None:
    settings = {"index-url": MIRROR, "extra-index-url": f"{OTHER} file:///packages/simple"}
    parser = configparser.RawConfigParser()
    parser.read_string(pip_settings.render(settings))
    assert parser["global"]["index-url"] == MIRROR
    assert parser["global"]["extra-index-url"].split() == [OTHER, "file:///packages/simple"]


def test_local_indexes_are_mounted_with_the_files_beside_them(tmp_path: Path) -> None:
    index = tmp_path / "packages" / "simple"
    wheels = tmp_path / "wheels"
    index.mkdir(parents=True)
    wheels.mkdir()
    settings = {"extra-index-url": f"file://{index} {OTHER}", "find-links": f"{wheels} {tmp_path}/absent"}
    assert pip_settings.local_paths(settings) == [index.parent, wheels]
    configuration = tmp_path / "pip.conf"
    mounts = pip_settings.mounts(settings, configuration)
    assert mounts[0] == f"{configuration}:/etc/pip.conf:ro"
    assert f"{wheels}:{wheels}:ro" in mounts
    assert len(mounts) == len(set(mounts))


def test_files_follow_pips_documentation(tmp_path: Path) -> None:
    usual = pip_settings.files(tmp_path, {})
    assert usual[-1] == tmp_path / ".config/pip/pip.conf"
    assert Path("/etc/pip.conf") in usual
    assert pip_settings.files(tmp_path, {"PIP_CONFIG_FILE": "/etc/own.conf"})[-1] == Path("/etc/own.conf")
    assert pip_settings.files(tmp_path, {"PIP_CONFIG_FILE": "/dev/null"}) == []

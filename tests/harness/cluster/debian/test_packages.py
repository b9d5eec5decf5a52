"""Tests of which distribution packages come from."""

from pathlib import Path

import pytest

from harness.cluster.debian.packages import require_debian
from harness.cluster.errors import ClusterError


@pytest.mark.parametrize("text", ['PRETTY_NAME="Ubuntu 24.04"\nVERSION_CODENAME=noble\n', "ID=arch\n", ""])
def test_other_distributions_get_a_remedy(tmp_path: Path, text: str) -> None:
    release = tmp_path / "os-release"
    release.write_text(text)
    with pytest.raises(ClusterError, match=r"needs Debian 12.*CLUSTER=kind"):
        require_debian(release)


def test_debian_12_is_accepted(tmp_path: Path) -> None:
    release = tmp_path / "os-release"
    release.write_text('ID=debian\nVERSION_CODENAME=bookworm\nVERSION_ID="12"\n')
    require_debian(release)

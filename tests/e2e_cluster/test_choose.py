"""Which kind of cluster a machine gets."""

import pytest

from e2e.cluster.choose import choose
from e2e.cluster.errors import ClusterError


@pytest.mark.parametrize(
    ("wish", "docker", "expected"),
    [
        ("", True, "kind"),
        ("", False, "debian"),
        ("debian", True, "debian"),
        ("debian", False, "debian"),
        ("kind", True, "kind"),
    ],
)
def test_choice(wish: str, docker: bool, expected: str) -> None:
    assert choose(wish, docker_answers=docker) == expected


@pytest.mark.parametrize(
    ("wish", "docker", "says"),
    [("kind", False, "no Docker engine answers"), ("minikube", True, "CLUSTER is 'minikube'")],
)
def test_impossible_wishes_name_the_way_out(wish: str, docker: bool, says: str) -> None:
    with pytest.raises(ClusterError, match=says):
        choose(wish, docker_answers=docker)

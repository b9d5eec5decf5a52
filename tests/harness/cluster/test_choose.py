"""Tests of which kind of cluster a machine gets."""

from pathlib import Path

import pytest

from harness.cluster.choose import Engine, choose, docker_engine
from harness.cluster.errors import ClusterError
from harness.cluster.preconditions import check


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
    assert choose(wish, Engine(answers=docker)) == expected


@pytest.mark.parametrize(
    ("wish", "docker", "says"),
    [("kind", False, "no Docker engine answers"), ("minikube", True, "CLUSTER is 'minikube'")],
)
def test_impossible_settings_name_the_remedy(wish: str, docker: bool, says: str) -> None:
    with pytest.raises(ClusterError, match=says):
        choose(wish, Engine(answers=docker))


@pytest.mark.parametrize("wish", ["", "kind"])
def test_an_engine_that_refuses_this_user_is_reported(wish: str) -> None:
    with pytest.raises(ClusterError, match="group docker"):
        choose(wish, Engine(answers=False, forbidden=True))
    assert choose("debian", Engine(answers=False, forbidden=True)) == "debian"


CLIENT = """\
#!/bin/sh
echo 'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock' >&2
exit 1
"""


def program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)


def test_messages_of_the_docker_client_are_recognized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    assert docker_engine() == Engine(answers=False)
    program(tmp_path, "docker", CLIENT)
    assert docker_engine() == Engine(answers=False, forbidden=True)
    program(tmp_path, "docker", "#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2; exit 1\n")
    assert docker_engine() == Engine(answers=False)
    program(tmp_path, "docker", "#!/bin/sh\necho 29.0.1\n")
    assert docker_engine() == Engine(answers=True)


def test_kind_and_kubectl_are_required_before_downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CLUSTER", raising=False)
    monkeypatch.delenv("KUBERNETES", raising=False)
    program(tmp_path, "docker", "#!/bin/sh\necho 29.0.1\n")
    for missing in ("kind", "kubectl"):
        with pytest.raises(ClusterError, match=f"{missing} is missing: install {missing}"):
            check()
        program(tmp_path, missing, "#!/bin/sh\n")
    assert check().startswith("a kind cluster of kindest/node:v1.")

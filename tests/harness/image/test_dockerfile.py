"""Tests of the parser of the Dockerfile."""

import pytest

from harness.cluster.files import REPOSITORY
from harness.image import dockerfile

TEXT = """
# a comment
ARG BASE=registry/base:1
ARG LIBRARIES=libraries

FROM ${BASE} AS tools
COPY setup.sh pins.txt /setup/
RUN sh /setup/setup.sh

FROM ${BASE} AS other
COPY unrelated /

FROM ${BASE} AS libraries
ENV A=1 \\
    B=2
COPY --from=tools /opt /opt

FROM ${LIBRARIES} AS product
COPY --chown=1:1 source/a.py source/b /opt/
"""


def names(target: str, **arguments: str) -> list[str]:
    return [stage.name for stage in dockerfile.needed(dockerfile.parse(TEXT, arguments), target)]


def test_a_target_needs_what_it_builds_on_and_copies_from() -> None:
    assert names("product") == ["tools", "libraries", "product"]
    assert names("other") == ["other"]


def test_a_stage_given_as_an_image_needs_no_build() -> None:
    assert names("product", LIBRARIES="localhost/libraries:1") == ["product"]


def test_arguments_replace_the_defaults_of_from() -> None:
    stages = dockerfile.parse(TEXT, {"BASE": "localhost/base:2"})
    assert {stage.name: stage.base for stage in stages} == {
        "tools": "localhost/base:2",
        "other": "localhost/base:2",
        "libraries": "localhost/base:2",
        "product": "libraries",
    }


def test_copied_paths_are_those_of_the_checkout_only() -> None:
    stages = dockerfile.parse(TEXT, {})
    assert dockerfile.copied_paths(dockerfile.needed(stages, "libraries")) == ["pins.txt", "setup.sh"]
    assert dockerfile.copied_paths(dockerfile.needed(stages, "product")) == [
        "pins.txt",
        "setup.sh",
        "source/a.py",
        "source/b",
    ]


def test_the_smaller_dockerfile_parses_to_the_same_stages() -> None:
    stages = dockerfile.needed(dockerfile.parse(TEXT, {}), "product")
    written = dockerfile.only(stages)
    assert dockerfile.parse(written, {}) == stages
    assert "ENV A=1 B=2" in written
    assert "unrelated" not in written


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("FROM base", "names no stage"),
        ("FROM ${BASE} AS one", "which no ARG before the first FROM declares"),
    ],
)
def test_unreadable_dockerfiles_are_rejected(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dockerfile.parse(text, {})


def test_an_unknown_target_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="no stage 'missing': its stages are tools, other, libraries, product"):
        names("missing")


def test_every_path_that_the_project_copies_exists() -> None:
    stages = dockerfile.parse((REPOSITORY / "Dockerfile").read_text(), {})
    missing = [path for path in dockerfile.copied_paths(stages) if not (REPOSITORY / path).exists()]
    assert missing == []


def test_the_projects_base_is_pinned_by_digest() -> None:
    stages = dockerfile.parse((REPOSITORY / "Dockerfile").read_text(), {})
    external = {stage.base for stage in stages} - {stage.name for stage in stages} - {"scratch"}
    assert len(external) == 1
    assert external.pop().partition("@sha256:")[2].isalnum()

"""Installs Kueue for the stories of a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from e2e.stories.conftest import Stage
from e2e.stories.scene import Scene
from harness.cluster.clusters import existing, kubernetes_version
from harness.cluster.versions import parse_version
from harness.kueue import install, why_not


@contextmanager
def kueue(
    request: pytest.FixtureRequest, stage_set: Stage, scene: Scene, manifest: str, triggers: Sequence[str]
) -> Iterator[None]:
    """Installs Kueue and a manifest while the context lasts, or skips the story if that is not possible.

    Args:
        request: The fixture that needs them.
        stage_set: Where they are installed.
        scene: The namespace of the manifest.
        manifest: Name of a file with queues and triggers.
        triggers: Names of the triggers to delete at the end.
    """
    cluster = stage_set.cluster
    running = existing(cluster.name, cluster.directory)
    assert running is not None
    reason = why_not(parse_version(kubernetes_version(running), "the cluster's version"))
    if reason is not None:
        pytest.skip(reason)
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled(), install(cluster):
        try:
            scene.apply_file(manifest)
            yield
        finally:  # Kueue removes the finalizers of these objects
            scene.kubectl("delete", "clustertriggers", *triggers, "--ignore-not-found")
            scene.kubectl("delete", "localqueues,jobs", "--all")
            scene.kubectl("delete", "clusterqueues,resourceflavors,workloadpriorityclasses", "--all")
